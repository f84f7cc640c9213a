//! The services that are registered.

use std::collections::BTreeMap;

use stead_nexus::{Definition, Error, HandlerErrorKind, Info, OperationDefinition};

/// Registered services, by name, and their operations.
#[derive(Debug, Default)]
pub(crate) struct Registry(BTreeMap<&'static str, BTreeMap<&'static str, OperationDefinition>>);

impl Registry {
    /// Adds a service. Returns whether its name was free.
    pub(crate) fn register(&mut self, definition: Definition) -> bool {
        let operations = definition.operations.into_iter().map(|operation| (operation.name, operation)).collect();
        self.0.insert(definition.name, operations).is_none()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The code of the operation that is asked for.
    pub(super) fn find(&self, info: &Info) -> Result<&OperationDefinition, Error> {
        let unknown = |what: &str, known: Vec<&str>| {
            let message = format!("{what} is not registered on this worker, available are: {}", known.join(", "));
            Error::handler(HandlerErrorKind::NotFound, message)
        };
        let (service, operation) = (info.service.as_str(), info.operation.as_str());
        let operations = self
            .0
            .get(service)
            .ok_or_else(|| unknown(&format!("Nexus service {service}"), self.0.keys().copied().collect()))?;
        operations.get(operation).ok_or_else(|| {
            unknown(&format!("operation {operation} of Nexus service {service}"), operations.keys().copied().collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use stead_nexus::Implementation;

    use super::*;

    #[test]
    fn nx_12_what_is_not_registered_is_not_found_and_the_error_names_what_is() {
        let mut registry = Registry::default();
        let start = Implementation::blocking(|_| Err(Error::from("unused")));
        let service = || Definition::new("Billing", vec![OperationDefinition::new("charge", start.clone())]);
        assert!(registry.register(service()) && !registry.register(service()));
        let find = |service: &str, operation: &str| {
            let mut info = Info::default();
            (info.service, info.operation) = (service.to_owned(), operation.to_owned());
            registry.find(&info).map(|it| it.name).map_err(|error| error.to_string())
        };
        assert_eq!(find("Billing", "charge"), Ok("charge"));
        assert_eq!(
            find("Billing", "refund").expect_err("no such operation"),
            "NOT_FOUND: operation refund of Nexus service Billing is not registered on this worker, available are: charge"
        );
        assert_eq!(
            find("Shipping", "ship").expect_err("no such service"),
            "NOT_FOUND: Nexus service Shipping is not registered on this worker, available are: Billing"
        );
    }
}
