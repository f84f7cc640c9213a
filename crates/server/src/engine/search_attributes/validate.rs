//! What the search attributes of a caller must be, and what is kept of them.
//!
//! The server's limit of 100 attributes in a request is not looked at: a namespace has fewer names than that.

use prost::Message;
use stead_proto::common::v1::{Payload, SearchAttributes};
use stead_proto::enums::v1::IndexedValueType;

use super::definitions::{PREDEFINED, PREDEFINED_READ_ONLY, SYSTEM, common, find};
use super::registry::Registry;
use super::value::{Value, shown};
use super::{TYPE, type_name};
use crate::engine::Refusal;

/// Bytes of one value.
const MAX_VALUE_SIZE: usize = 2 << 10;
/// Bytes of all attributes together.
const MAX_TOTAL_SIZE: usize = 40 << 10;

impl Registry<'_> {
    /// Checks the attributes that a caller sets, with an execution or while it runs.
    ///
    /// # Errors
    ///
    /// When an attribute is unknown, is not the caller's to set, is of another type or too large.
    pub(crate) fn validate(&self, attributes: &SearchAttributes) -> Result<(), Refusal> {
        self.validate_names(attributes)?;
        self.validate_values(attributes)?;
        self.validate_size(attributes)
    }

    /// The part of [`Self::validate`] that asks whether there are such attributes.
    pub(crate) fn validate_names(&self, attributes: &SearchAttributes) -> Result<(), Refusal> {
        match attributes.indexed_fields.keys().find(|name| self.kind(name).is_none()) {
            Some(unknown) => Err(Refusal::invalid(format!(
                "Namespace {} has no mapping defined for search attribute {unknown}",
                self.namespace
            ))),
            None => Ok(()),
        }
    }

    /// The part of [`Self::validate`] that asks whether they may have such values.
    pub(crate) fn validate_values(&self, attributes: &SearchAttributes) -> Result<(), Refusal> {
        attributes.indexed_fields.iter().try_for_each(|(name, payload)| self.validate_value(name, payload))
    }

    /// What is kept of attributes that were found valid: each says its type.
    pub(crate) fn normalized(&self, mut attributes: SearchAttributes) -> SearchAttributes {
        for (name, payload) in &mut attributes.indexed_fields {
            if let Some(kind) = self.kind(name) {
                payload.metadata.insert(TYPE.to_owned(), type_name(kind).as_bytes().to_vec().into());
            }
        }
        attributes
    }

    fn validate_value(&self, name: &str, payload: &Payload) -> Result<(), Refusal> {
        if find(&SYSTEM, name).or_else(|| find(&PREDEFINED_READ_ONLY, name)).is_some() {
            return Err(Refusal::invalid(format!("{name} attribute can't be set in SearchAttributes")));
        }
        let kind = find(&PREDEFINED, name).or_else(|| self.custom(name)).unwrap_or(IndexedValueType::Unspecified);
        if Value::decode(payload, kind).is_some() {
            return Ok(());
        }
        let (kind, value) = (type_name(kind), shown(payload));
        Err(Refusal::invalid(format!("invalid value for search attribute {name} of type {kind}: {value}")))
    }

    /// The part of [`Self::validate`] that asks whether they are too large.
    pub(crate) fn validate_size(&self, attributes: &SearchAttributes) -> Result<(), Refusal> {
        for (name, payload) in &attributes.indexed_fields {
            let size = payload.data.len();
            if size > MAX_VALUE_SIZE {
                return Err(Refusal::invalid(format!(
                    "search attribute {name} value size {size} exceeds size limit {MAX_VALUE_SIZE}"
                )));
            }
        }
        let size = self.stored(attributes).encoded_len();
        if size <= MAX_TOTAL_SIZE {
            return Ok(());
        }
        Err(Refusal::invalid(format!("total size of search attributes {size} exceeds size limit {MAX_TOTAL_SIZE}")))
    }

    /// The attributes by field, as the server counts their bytes.
    fn stored(&self, attributes: &SearchAttributes) -> SearchAttributes {
        let named = |(name, payload): (&String, &Payload)| {
            let field = if common(name).is_none() { self.field(name) } else { None };
            (field.unwrap_or(name).to_owned(), payload.clone())
        };
        SearchAttributes { indexed_fields: attributes.indexed_fields.iter().map(named).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::namespaces::Namespace;

    fn namespace() -> Namespace {
        let mut namespace = Namespace::default();
        namespace.info.name = "shop".to_owned();
        let aliases = [
            ("Keyword01", "K"),
            ("Int01", "I"),
            ("Double01", "D"),
            ("Bool01", "B"),
            ("Datetime01", "Dt"),
            ("KeywordList01", "KL"),
        ];
        let aliases = aliases.into_iter().map(|(field, alias)| (field.to_owned(), alias.to_owned()));
        namespace.config.custom_search_attribute_aliases = aliases.collect();
        namespace
    }

    fn payload(encoding: &str, data: &str) -> Payload {
        let encoding = encoding.as_bytes().to_vec().into();
        let metadata = BTreeMap::from([("encoding".to_owned(), encoding)]);
        Payload { metadata, data: data.to_owned().into(), ..Payload::default() }
    }

    fn json(name: &str, data: &str) -> (String, Payload) {
        (name.to_owned(), payload("json/plain", data))
    }

    fn validate(fields: impl IntoIterator<Item = (String, Payload)>) -> Result<(), String> {
        let attributes = SearchAttributes { indexed_fields: fields.into_iter().collect() };
        Registry::of(&namespace()).validate(&attributes).map_err(|refusal| refusal.message)
    }

    /// The messages are those of Temporal's server 1.32.1 to the same values.
    #[test]
    fn bad_attributes_are_told_in_the_real_servers_words() {
        for (name, data, message) in [
            ("Nope", r#""x""#, "Namespace shop has no mapping defined for search attribute Nope"),
            ("Keyword05", r#""x""#, "Namespace shop has no mapping defined for search attribute Keyword05"),
            ("NamespaceId", r#""x""#, "Namespace shop has no mapping defined for search attribute NamespaceId"),
            ("K", "5", "invalid value for search attribute K of type Keyword: 5"),
            (
                "K",
                r#"{"a":[1,null,true,10000000.0]}"#,
                "invalid value for search attribute K of type Keyword: map[a:[1 <nil> true 1e+07]]",
            ),
            ("K", r#"["a","b"]"#, "invalid value for search attribute K of type Keyword: [a b]"),
            ("I", r#""x""#, "invalid value for search attribute I of type Int: x"),
            ("I", "5.0", "invalid value for search attribute I of type Int: 5"),
            ("I", r#"[1,"x"]"#, "invalid value for search attribute I of type Int: [1 x]"),
            ("Dt", r#""x""#, "invalid value for search attribute Dt of type Datetime: x"),
            ("KL", r#""x""#, "invalid value for search attribute KL of type KeywordList: x"),
            ("KL", "[1]", "invalid value for search attribute KL of type KeywordList: [1]"),
            ("B", r#""true""#, "invalid value for search attribute B of type Bool: true"),
            ("WorkflowId", r#""x""#, "WorkflowId attribute can't be set in SearchAttributes"),
            (
                "TemporalWorkerDeployment",
                r#""x""#,
                "TemporalWorkerDeployment attribute can't be set in SearchAttributes",
            ),
            (
                "D",
                "abc",
                "invalid value for search attribute D of type Double: \
                 value from <metadata:{key:\"encoding\" value:\"json/plain\"} data:\"abc\">",
            ),
        ] {
            assert_eq!(validate([json(name, data)]), Err(message.to_owned()), "{name} {data}");
        }
        let bytes = ("K".to_owned(), payload("binary/plain", "abc"));
        let message = "invalid value for search attribute K of type Keyword: [97 98 99]";
        assert_eq!(validate([bytes]), Err(message.to_owned()));
        let bare = ("K".to_owned(), Payload { data: "abc".into(), ..Payload::default() });
        let message = "invalid value for search attribute K of type Keyword: value from <data:\"abc\">";
        assert_eq!(validate([bare]), Err(message.to_owned()));
    }

    #[test]
    fn good_attributes_are_taken_with_their_types() {
        let fields = [
            json("K", r#"["x"]"#),
            json("I", "[]"),
            json("D", "5"),
            json("B", "true"),
            json("Dt", r#""2024-01-01T00:00:00Z""#),
            json("KL", r#"["a",null]"#),
            json("TemporalScheduledById", r#""s""#),
            ("BuildIds".to_owned(), payload("binary/null", "")),
        ];
        assert_eq!(validate(fields.clone()), Ok(()));
        let namespace = namespace();
        let attributes = SearchAttributes { indexed_fields: fields.into_iter().collect() };
        let normalized = Registry::of(&namespace).normalized(attributes).indexed_fields;
        assert_eq!(normalized["K"].metadata["type"], "Keyword");
        assert_eq!(normalized["BuildIds"].metadata["type"], "KeywordList");
        assert_eq!(normalized["KL"].data, r#"["a",null]"#);
    }

    #[test]
    fn attributes_are_bounded_in_size() {
        let long = format!("\"{}\"", "x".repeat(2_100));
        let message = "search attribute K value size 2102 exceeds size limit 2048";
        assert_eq!(validate([json("K", &long)]), Err(message.to_owned()));

        // Names are counted by their fields: `Keyword01` and so on, whatever they are called.
        let mut namespace = namespace();
        let fields = (1..=10).map(|number| format!("Keyword{number:02}"));
        namespace.config.custom_search_attribute_aliases =
            fields.map(|field| (field.clone(), format!("A {field}"))).collect();
        let lists =
            ["TemporalChangeVersion", "BinaryChecksums", "BuildIds", "TemporalPauseInfo", "TemporalReportedProblems"];
        let text = format!("\"{}\"", "x".repeat(2_046));
        let list = format!("[\"{}\"]", "x".repeat(2_044));
        let own = namespace.config.custom_search_attribute_aliases.values().map(|name| json(name, &text));
        let common = lists.iter().map(|name| json(name, &list));
        let few = SearchAttributes { indexed_fields: own.chain(common).collect() };
        assert_eq!(Registry::of(&namespace).validate(&few), Ok(()));
        let mut many = few;
        for (number, name) in ["T1", "T2", "T3", "L1", "L2", "L3"].into_iter().enumerate() {
            let (kind, value) = if number < 3 { ("Text", &text) } else { ("KeywordList", &list) };
            let field = format!("{kind}{:02}", number % 3 + 1);
            namespace.config.custom_search_attribute_aliases.insert(field, name.to_owned());
            many.indexed_fields.extend([json(name, value)]);
        }
        let message = Registry::of(&namespace).validate(&many).unwrap_err().message;
        let size = many.indexed_fields.len() * 2_048;
        let counted: usize = message
            .strip_prefix("total size of search attributes ")
            .and_then(|rest| rest.strip_suffix(" exceeds size limit 40960"))
            .and_then(|counted| counted.parse().ok())
            .unwrap_or_else(|| panic!("{message}"));
        assert!((size..size + 80 * many.indexed_fields.len()).contains(&counted), "{counted} of {size}");
    }
}
