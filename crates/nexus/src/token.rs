//! What an operation is called between its start and its end.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The token of an operation that goes on after its handler has returned.
///
/// Those of operations behind which there is a workflow, an activity or an update say which; Temporal's other SDKs read
/// them too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperationToken(String);

/// What is behind an operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backing {
    /// A workflow.
    Workflow {
        /// Its namespace.
        namespace: String,
        /// Its id.
        workflow_id: String,
    },
    /// An activity that no workflow has started.
    Activity {
        /// Its namespace.
        namespace: String,
        /// Its id.
        activity_id: String,
        /// Its run, where that is known.
        run_id: Option<String>,
    },
    /// An update of a workflow.
    Update {
        /// The namespace of the workflow.
        namespace: String,
        /// The id of the workflow.
        workflow_id: String,
        /// The run of the workflow, where that is known.
        run_id: Option<String>,
        /// The id of the update.
        update_id: String,
    },
}

/// A token that does not say what is behind its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidToken(&'static str);

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid token: {}", self.0)
    }
}

impl std::error::Error for InvalidToken {}

/// As it is written. Empty texts are as good as none.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Fields {
    t: u8,
    ns: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
}

impl OperationToken {
    /// A token, as it came.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is behind the operation, if it is one of those that Temporal's SDKs start.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn backing(&self) -> Result<Backing, InvalidToken> {
        if self.0.is_empty() {
            return Err(InvalidToken("it is empty"));
        }
        let json = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| InvalidToken("it is not base64url"))?;
        let fields: Fields = serde_json::from_slice(&json).map_err(|_| InvalidToken("it is not JSON of its kind"))?;
        let required = |field: Option<String>, problem| field.filter(|it| !it.is_empty()).ok_or(InvalidToken(problem));
        // The namespace may be empty, but not missing.
        let namespace = fields.ns.ok_or(InvalidToken("it has no namespace"))?;
        let run_id = fields.rid.filter(|it| !it.is_empty());
        if fields.v.is_some_and(|version| version != 0) {
            return Err(InvalidToken("it is of a later version"));
        }
        match fields.t {
            WORKFLOW => {
                Ok(Backing::Workflow { namespace, workflow_id: required(fields.wid, "it has no workflow id")? })
            }
            ACTIVITY => {
                Ok(Backing::Activity { namespace, activity_id: required(fields.aid, "it has no activity id")?, run_id })
            }
            UPDATE => Ok(Backing::Update {
                namespace,
                workflow_id: required(fields.wid, "it has no workflow id")?,
                run_id,
                update_id: required(fields.uid, "it has no update id")?,
            }),
            _ => Err(InvalidToken("it is of no known type")),
        }
    }
}

impl Backing {
    /// The token of an operation with this behind it.
    pub fn token(&self) -> OperationToken {
        let fields = match self.clone() {
            Self::Workflow { namespace, workflow_id } => {
                Fields { t: WORKFLOW, ns: Some(namespace), wid: Some(workflow_id), ..Fields::default() }
            }
            Self::Activity { namespace, activity_id, run_id } => {
                Fields { t: ACTIVITY, ns: Some(namespace), aid: Some(activity_id), rid: run_id, ..Fields::default() }
            }
            Self::Update { namespace, workflow_id, run_id, update_id } => Fields {
                t: UPDATE,
                ns: Some(namespace),
                wid: Some(workflow_id),
                rid: run_id,
                uid: Some(update_id),
                ..Fields::default()
            },
        };
        // Numbers and texts can always be written.
        OperationToken(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&fields).unwrap_or_default()))
    }
}

const WORKFLOW: u8 = 1;
const ACTIVITY: u8 = 2;
const UPDATE: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn token(json: &str) -> Result<Backing, InvalidToken> {
        OperationToken(URL_SAFE_NO_PAD.encode(json)).backing()
    }

    #[test]
    fn nx_4_tokens_are_those_of_temporals_other_sdks_and_are_read_as_they_were_written() {
        let workflow = Backing::Workflow { namespace: "ns".into(), workflow_id: "w/ü".into() };
        let json = URL_SAFE_NO_PAD.decode(workflow.token().as_str()).expect("base64url without padding");
        assert_eq!(String::from_utf8(json).expect("JSON"), r#"{"t":1,"ns":"ns","wid":"w/ü"}"#);
        let (namespace, run_id) = (String::new(), Some("r".to_owned()));
        let activity =
            Backing::Activity { namespace: namespace.clone(), activity_id: "a".into(), run_id: run_id.clone() };
        let update = Backing::Update { namespace, workflow_id: "w".into(), run_id, update_id: "u".into() };
        for backing in [workflow, activity, update] {
            assert_eq!(backing.token().backing(), Ok(backing));
        }
    }

    #[test]
    fn nx_4_what_is_no_token_is_refused_and_says_why() {
        assert_eq!(token(r#"{"t":1,"ns":"","wid":"w","v":0}"#).map(|_| ()), Ok(()));
        for (json, why) in [
            ("", "it is empty"),
            ("{", "it is not JSON of its kind"),
            (r#"{"t":"1","ns":"n","wid":"w"}"#, "it is not JSON of its kind"),
            (r#"{"t":4,"ns":"n"}"#, "it is of no known type"),
            (r#"{"t":1,"wid":"w"}"#, "it has no namespace"),
            (r#"{"t":1,"ns":"n","wid":""}"#, "it has no workflow id"),
            (r#"{"t":2,"ns":"n"}"#, "it has no activity id"),
            (r#"{"t":3,"ns":"n","wid":"w"}"#, "it has no update id"),
            (r#"{"t":1,"ns":"n","wid":"w","v":1}"#, "it is of a later version"),
        ] {
            assert_eq!(token(json), Err(InvalidToken(why)), "{json}");
        }
        assert_eq!(OperationToken::new("not!base64").backing(), Err(InvalidToken("it is not base64url")));
    }
}
