//! [`Registry`]: the attributes that a namespace defines.

use std::collections::BTreeMap;

use stead_proto::enums::v1::IndexedValueType;

use super::definitions::{FIELDS, common, field_type, fields_of};
use super::type_name;
use crate::engine::Refusal;
use crate::engine::namespaces::Namespace;

/// The attributes that a namespace defines. Each takes one of the fields that its type has, and is an alias of it; the
/// aliases are part of the namespace's configuration, where callers can see them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registry<'a> {
    pub(super) namespace: &'a str,
    /// Names by field.
    aliases: &'a BTreeMap<String, String>,
}

impl<'a> Registry<'a> {
    pub(crate) fn of(namespace: &'a Namespace) -> Self {
        Self { namespace: &namespace.info.name, aliases: &namespace.config.custom_search_attribute_aliases }
    }

    /// The type of an attribute that the namespace defines.
    pub(crate) fn custom(&self, name: &str) -> Option<IndexedValueType> {
        self.field(name).and_then(field_type)
    }

    /// The type of an attribute that the namespace has: its own or one that all have.
    pub(crate) fn kind(&self, name: &str) -> Option<IndexedValueType> {
        common(name).or_else(|| self.custom(name))
    }

    /// The attribute that takes a field, if there is such a field: filters may name fields, too.
    pub(crate) fn behind(&self, field: &str) -> Option<(Option<&'a str>, IndexedValueType)> {
        let kind = field_type(field)?;
        Some((self.aliases.get(field).map(String::as_str), kind))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, IndexedValueType)> + use<'a> {
        self.aliases.iter().filter_map(|(field, name)| Some((name.as_str(), field_type(field)?)))
    }

    pub(super) fn field(&self, name: &str) -> Option<&'a str> {
        self.aliases.iter().find(|(_, alias)| *alias == name).map(|(field, _)| field.as_str())
    }
}

/// Gives a field to an attribute. One that is there already stays as it is, of whatever type.
pub(super) fn define(
    aliases: &mut BTreeMap<String, String>,
    name: &str,
    kind: IndexedValueType,
) -> Result<(), Refusal> {
    if aliases.values().any(|alias| alias == name) {
        return Ok(());
    }
    let count = FIELDS.into_iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| count);
    let Some(field) = fields_of(kind, count).find(|field| !aliases.contains_key(field)) else {
        return Err(Refusal::invalid(format!(
            "Unable to create search attributes: cannot have more than {count} search attribute of type {}.",
            type_name(kind)
        )));
    };
    aliases.insert(field, name.to_owned());
    Ok(())
}
