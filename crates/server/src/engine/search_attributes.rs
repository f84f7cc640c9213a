//! Search attributes: which ones a namespace has, of which types, and what their values may be; and the calls about them.

mod datetime;
mod definitions;
mod registry;
mod validate;
mod value;

use std::collections::BTreeMap;

use bytes::Bytes;
use stead_proto::common::v1::Payload;
use stead_proto::enums::v1::IndexedValueType;
use stead_proto::operatorservice::v1 as operator;
use stead_proto::workflowservice::v1 as api;

pub(crate) use datetime::parse as parse_datetime;
pub(crate) use definitions::{PREFIX, common, is_reserved};
pub(crate) use registry::Registry;
pub(crate) use value::{Value, shown_double, unwrap_list};

use super::namespaces::NamespaceKey;
use super::{Engine, Refusal};

/// The metadata of a payload that names the attribute's type.
const TYPE: &str = "type";

impl Engine {
    /// The attributes of a namespace that there is.
    pub(super) fn registry(&self, namespace: NamespaceKey) -> Result<Registry<'_>, Refusal> {
        let found = self.namespaces.get(namespace);
        found.map(Registry::of).ok_or_else(|| Refusal::not_found("Namespace is not found."))
    }

    pub(super) fn add_search_attributes(
        &mut self,
        request: &operator::AddSearchAttributesRequest,
    ) -> Result<operator::AddSearchAttributesResponse, Refusal> {
        if request.search_attributes.is_empty() {
            return Err(Refusal::invalid(NOT_SET));
        }
        check_names(&request.search_attributes)?;
        self.define_search_attributes(&request.namespace, &request.search_attributes)?;
        Ok(operator::AddSearchAttributesResponse {})
    }

    /// All of the attributes, or none of them.
    pub(super) fn define_search_attributes(
        &mut self,
        namespace: &str,
        attributes: &BTreeMap<String, i32>,
    ) -> Result<(), Refusal> {
        let key = self.named_namespace(namespace)?;
        let Some(before) = self.namespaces.get(key) else { return Ok(()) };
        let mut aliases = before.config.custom_search_attribute_aliases.clone();
        define_all(&mut aliases, attributes)?;
        self.set_aliases(key, aliases);
        Ok(())
    }

    pub(super) fn remove_search_attributes(
        &mut self,
        request: &operator::RemoveSearchAttributesRequest,
    ) -> Result<operator::RemoveSearchAttributesResponse, Refusal> {
        if request.search_attributes.is_empty() {
            return Err(Refusal::invalid(NOT_SET));
        }
        let key = self.named_namespace(&request.namespace)?;
        let Some(before) = self.namespaces.get(key) else { return Ok(operator::RemoveSearchAttributesResponse {}) };
        let mut aliases = before.config.custom_search_attribute_aliases.clone();
        let fixed = |name: &&String| common(name).is_some() || definitions::field_type(name).is_some();
        let custom = |name: &String| aliases.values().any(|alias| alias == name);
        if let Some(name) = request.search_attributes.iter().find(|name| !custom(name) && fixed(name)) {
            return Err(Refusal::invalid(format!("Unable to remove non-custom search attributes: {name}.")));
        }
        aliases.retain(|_, alias| !request.search_attributes.contains(alias));
        self.set_aliases(key, aliases);
        Ok(operator::RemoveSearchAttributesResponse {})
    }

    pub(super) fn list_search_attributes(
        &self,
        request: &operator::ListSearchAttributesRequest,
    ) -> Result<operator::ListSearchAttributesResponse, Refusal> {
        let registry = self.registry(self.named_namespace(&request.namespace)?)?;
        Ok(operator::ListSearchAttributesResponse {
            custom_attributes: registry.all().map(|(name, kind)| (name.to_owned(), kind.into())).collect(),
            system_attributes: fixed().collect(),
            storage_schema: BTreeMap::new(),
        })
    }

    /// What every namespace has, and the fields that each may use.
    pub(super) fn search_attributes(&self) -> api::GetSearchAttributesResponse {
        let fields = definitions::fields().map(|(field, kind)| (field, kind.into()));
        api::GetSearchAttributesResponse { keys: fixed().chain(fields).collect() }
    }

    fn named_namespace(&self, name: &str) -> Result<NamespaceKey, Refusal> {
        if name.is_empty() {
            return Err(Refusal::invalid("Namespace is not set on request."));
        }
        self.namespaces.key(name)
    }

    fn set_aliases(&mut self, namespace: NamespaceKey, aliases: BTreeMap<String, String>) {
        if let Some(namespace) = self.namespaces.get_mut(namespace) {
            namespace.config.custom_search_attribute_aliases = aliases;
        }
    }
}

/// Whether a namespace without attributes could have these.
pub(super) fn check_definitions(attributes: &BTreeMap<String, i32>) -> Result<(), Refusal> {
    check_names(attributes)?;
    define_all(&mut BTreeMap::new(), attributes)
}

fn check_names(attributes: &BTreeMap<String, i32>) -> Result<(), Refusal> {
    if let Some(name) = attributes.keys().find(|name| is_reserved(name)) {
        return Err(Refusal::invalid(format!("Search attribute {name} is reserved by system.")));
    }
    let unknown = |kind: &&i32| IndexedValueType::try_from(**kind).is_err();
    match attributes.values().find(unknown) {
        Some(kind) => Err(Refusal::invalid(format!("Unknown search attribute type: {kind}."))),
        None => Ok(()),
    }
}

fn define_all(aliases: &mut BTreeMap<String, String>, attributes: &BTreeMap<String, i32>) -> Result<(), Refusal> {
    attributes.iter().try_for_each(|(name, kind)| {
        let kind = IndexedValueType::try_from(*kind).unwrap_or(IndexedValueType::Unspecified);
        registry::define(aliases, name, kind)
    })
}

const NOT_SET: &str = "SearchAttributes are not set on request.";

/// The attributes that every namespace has.
fn fixed() -> impl Iterator<Item = (String, i32)> {
    let all = definitions::SYSTEM.iter().chain(&definitions::PREDEFINED).chain(&definitions::PREDEFINED_READ_ONLY);
    all.map(|(name, kind)| ((*name).to_owned(), (*kind).into()))
}

/// The type that a stored payload says it has.
pub(crate) fn type_of(payload: &Payload) -> Option<IndexedValueType> {
    let name = payload.metadata.get(TYPE)?;
    definitions::FIELDS.into_iter().map(|(kind, _)| kind).find(|kind| type_name(*kind).as_bytes() == name.as_ref())
}

/// A value of the type `KeywordList`, as the server itself sets one.
pub(crate) fn keyword_list(words: &[String]) -> Payload {
    own_value(IndexedValueType::KeywordList, &serde_json::Value::from(words))
}

/// The words of such a value.
pub(crate) fn keywords_of(payload: &Payload) -> Vec<String> {
    match Value::decode(payload, IndexedValueType::KeywordList) {
        Some(Some(Value::KeywordList(words))) => words,
        _ => Vec::new(),
    }
}

/// A value of the type `Keyword`, as the server itself sets one.
pub(crate) fn keyword(word: &str) -> Payload {
    own_value(IndexedValueType::Keyword, &serde_json::Value::from(word))
}

fn own_value(kind: IndexedValueType, value: &serde_json::Value) -> Payload {
    let kind = Bytes::from_static(type_name(kind).as_bytes());
    Payload {
        metadata: [("encoding".to_owned(), "json/plain".into()), (TYPE.to_owned(), kind)].into(),
        data: value.to_string().into(),
        ..Default::default()
    }
}

/// A type as messages and payloads name it.
pub(crate) fn type_name(kind: IndexedValueType) -> &'static str {
    match kind {
        IndexedValueType::Unspecified => "Unspecified",
        IndexedValueType::Text => "Text",
        IndexedValueType::Keyword => "Keyword",
        IndexedValueType::Int => "Int",
        IndexedValueType::Double => "Double",
        IndexedValueType::Bool => "Bool",
        IndexedValueType::Datetime => "Datetime",
        IndexedValueType::KeywordList => "KeywordList",
    }
}
