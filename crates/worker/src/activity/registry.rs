//! The activities that are registered.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use stead_activity::{Definition, Implementation, Info};
use stead_data::Failure;

/// Registered activities.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    by_type: BTreeMap<&'static str, Implementation>,
    /// The one for all other types.
    dynamic: Option<Implementation>,
}

impl Registry {
    /// Adds an activity. Returns whether its type was free, or there was no other dynamic one.
    pub(crate) fn register(&mut self, definition: Definition) -> bool {
        if definition.is_dynamic {
            return self.dynamic.replace(definition.implementation).is_none();
        }
        match self.by_type.entry(definition.name) {
            Entry::Vacant(vacant) => {
                vacant.insert(definition.implementation);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_type.is_empty() && self.dynamic.is_none()
    }

    /// The code of an activity. The failure for an unknown one is retried: a worker that knows it may be deployed later.
    pub(super) fn find(&self, info: &Info) -> Result<&Implementation, Failure> {
        let named = self.by_type.get(info.activity_type.as_str());
        named.or(self.dynamic.as_ref()).ok_or_else(|| self.unknown(info))
    }

    fn unknown(&self, info: &Info) -> Failure {
        let known = self.by_type.keys().copied().collect::<Vec<_>>().join(", ");
        let workflow = info.workflow.as_ref().map_or("none", |workflow| &workflow.workflow_id);
        let message = format!(
            "Activity function {} for workflow {workflow} is not registered on this worker, \
             available activities: {known}",
            info.activity_type
        );
        Failure::application(message).type_name("NotFoundError")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_unknown_activity_is_a_retryable_failure_that_names_the_known_ones() {
        let mut registry = Registry::default();
        let call = || Implementation::Blocking(Arc::new(|input| input.encode(&())));
        for name in ["pay", "charge"] {
            assert!(registry.register(Definition::new(name, call())));
        }
        assert!(!registry.register(Definition::new("pay", call())));

        let mut info = Info::default();
        info.activity_type = "refund".to_owned();
        let failure = registry.find(&info).expect_err("not registered");
        assert_eq!(
            failure.message,
            "Activity function refund for workflow none is not registered on this worker, \
             available activities: charge, pay"
        );
        let (_, application) = failure.find_application().expect("an application failure");
        assert_eq!((application.type_name.as_str(), application.non_retryable), ("NotFoundError", false));

        assert!(registry.register(Definition::new("any", call()).dynamic()));
        assert!(registry.find(&info).is_ok(), "what nobody else takes is taken by the dynamic one");
        assert!(!registry.register(Definition::new("other", call()).dynamic()));
    }
}
