//! Patches: the markers that tell which side of a change in the code a run is on.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{RecordMarkerCommandAttributes, UpsertWorkflowSearchAttributesCommandAttributes};
use stead_proto::common::v1::{Payload, Payloads, SearchAttributes};
use stead_proto::history::v1::history_event;
use stead_proto::history::v1::{HistoryEvent, MarkerRecordedEventAttributes};

/// Name of the marker. It and the formats below are shared by all SDKs on this protocol.
const MARKER: &str = "core_patch";
/// The marker's one detail today.
const DETAIL: &str = "patch-data";
/// The two details of the first markers ever written.
const LEGACY_DETAILS: (&str, &str) = ("patch_id", "deprecated");
/// The search attribute that lists a run's patches.
pub(crate) const SEARCH_ATTRIBUTE: &str = "TemporalChangeVersion";
/// Servers refuse larger search attributes.
const MAX_SEARCH_ATTRIBUTE_BYTES: usize = 2048;

/// A patch as its marker records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Patch {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) deprecated: bool,
}

impl Patch {
    /// The patch that an event records, if it is the marker of one.
    pub(crate) fn of_event(event: &HistoryEvent) -> Option<Self> {
        match &event.attributes {
            Some(history_event::Attributes::MarkerRecordedEventAttributes(marker)) => Self::of_marker(marker),
            _ => None,
        }
    }

    fn of_marker(marker: &MarkerRecordedEventAttributes) -> Option<Self> {
        if marker.marker_name != MARKER {
            return None;
        }
        let detail = |name| marker.details.get(name).and_then(|payloads| payloads.payloads.first());
        if let Some(payload) = detail(DETAIL) {
            return serde_json::from_slice(&payload.data).ok();
        }
        let (id, deprecated) = (detail(LEGACY_DETAILS.0)?, detail(LEGACY_DETAILS.1)?);
        Some(Self {
            id: String::from_utf8(id.data.to_vec()).ok()?,
            deprecated: deprecated.data.first().is_some_and(|byte| *byte != 0),
        })
    }

    /// The command that records it.
    pub(crate) fn command(&self) -> Attributes {
        let detail = Payloads { payloads: vec![json(self)] };
        Attributes::RecordMarkerCommandAttributes(Box::new(RecordMarkerCommandAttributes {
            marker_name: MARKER.to_owned(),
            details: BTreeMap::from([(DETAIL.to_owned(), detail)]),
            ..RecordMarkerCommandAttributes::default()
        }))
    }
}

/// Whether an event records the patches of a run in its search attributes.
pub(crate) fn records_patches(event: &HistoryEvent) -> bool {
    match &event.attributes {
        Some(history_event::Attributes::UpsertWorkflowSearchAttributesEventAttributes(upsert)) => upsert
            .search_attributes
            .as_ref()
            .is_some_and(|attributes| attributes.indexed_fields.contains_key(SEARCH_ATTRIBUTE)),
        _ => false,
    }
}

/// The patches of one run.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    /// Whether code has asked for the patch, by id. Those it has not asked for were seen in history.
    asked: BTreeMap<String, bool>,
}

impl Patches {
    /// History holds a marker of this patch.
    pub(crate) fn see(&mut self, id: &str) {
        if !self.asked.contains_key(id) {
            self.asked.insert(id.to_owned(), false);
        }
    }

    /// Whether history holds a marker of this patch, as far as it has been read.
    pub(crate) fn is_seen(&self, id: &str) -> bool {
        self.asked.contains_key(id)
    }

    /// Code asks for a patch. False if it has asked before.
    pub(crate) fn ask(&mut self, id: &str) -> bool {
        self.asked.insert(id.to_owned(), true) != Some(true)
    }

    /// The search attribute that lists all patches that code has asked for, unless it would be too large.
    pub(crate) fn search_attribute(&self) -> Option<Attributes> {
        let ids: Vec<&str> = self.asked.iter().filter(|(_, asked)| **asked).map(|(id, _)| id.as_str()).collect();
        let mut payload = json(&ids);
        if payload.data.len() >= MAX_SEARCH_ATTRIBUTE_BYTES {
            return None;
        }
        payload.metadata.insert("type".to_owned(), Bytes::from_static(b"KeywordList"));
        let indexed_fields = BTreeMap::from([(SEARCH_ATTRIBUTE.to_owned(), payload)]);
        Some(Attributes::UpsertWorkflowSearchAttributesCommandAttributes(
            UpsertWorkflowSearchAttributesCommandAttributes {
                search_attributes: Some(SearchAttributes { indexed_fields }),
            },
        ))
    }
}

/// A value as a JSON payload.
pub(crate) fn json(value: &impl Serialize) -> Payload {
    Payload {
        metadata: BTreeMap::from([("encoding".to_owned(), Bytes::from_static(b"json/plain"))]),
        // Strings and booleans always have a JSON form.
        data: serde_json::to_vec(value).unwrap_or_default().into(),
        ..Payload::default()
    }
}
