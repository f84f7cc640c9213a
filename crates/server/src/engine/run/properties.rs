//! Search attributes and memo of a run: what a workflow changes of them. A value that says "nothing" removes.

use std::collections::BTreeMap;

use stead_proto::common::v1::{Memo, Payload, SearchAttributes};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    UpsertWorkflowSearchAttributesEventAttributes, WorkflowPropertiesModifiedEventAttributes,
};

use super::events::Extras;
use super::{Context, Run};

impl Run {
    pub(crate) fn upsert_search_attributes(
        &mut self,
        cx: &Context<'_>,
        attributes: SearchAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let event = UpsertWorkflowSearchAttributesEventAttributes {
            workflow_task_completed_event_id: completed_event_id,
            search_attributes: Some(attributes.clone()),
        };
        self.add_with(cx, Attributes::UpsertWorkflowSearchAttributesEventAttributes(event), extras);
        let kept = self.state.search_attributes.get_or_insert_default();
        merge(&mut kept.indexed_fields, attributes.indexed_fields);
        self.listed = false;
    }

    pub(crate) fn modify_memo(&mut self, cx: &Context<'_>, memo: Memo, completed_event_id: i64, extras: Extras) {
        let event = WorkflowPropertiesModifiedEventAttributes {
            workflow_task_completed_event_id: completed_event_id,
            upserted_memo: Some(memo.clone()),
        };
        self.add_with(cx, Attributes::WorkflowPropertiesModifiedEventAttributes(event), extras);
        merge(&mut self.state.memo.get_or_insert_default().fields, memo.fields);
        self.listed = false;
    }
}

/// Sets fields, and removes those that are set to nothing.
pub(crate) fn merge(fields: &mut BTreeMap<String, Payload>, changes: BTreeMap<String, Payload>) {
    for (name, payload) in changes {
        if is_nil(&payload) {
            fields.remove(&name);
        } else {
            fields.insert(name, payload);
        }
    }
}

pub(crate) fn memo_without_nil(memo: Option<Memo>) -> Option<Memo> {
    let fields = without_nil(memo?.fields);
    (!fields.is_empty()).then_some(Memo { fields })
}

pub(crate) fn search_attributes_without_nil(attributes: Option<SearchAttributes>) -> Option<SearchAttributes> {
    let indexed_fields = without_nil(attributes?.indexed_fields);
    (!indexed_fields.is_empty()).then_some(SearchAttributes { indexed_fields })
}

fn without_nil(mut fields: BTreeMap<String, Payload>) -> BTreeMap<String, Payload> {
    fields.retain(|_, payload| !is_nil(payload));
    fields
}

/// Nothing, `null` or an empty list, whatever the encoding says (`isNilPayload` in `common/payload/payload.go`).
fn is_nil(payload: &Payload) -> bool {
    matches!(payload.data.as_ref(), b"" | b"null" | b"[]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(data: &'static str) -> Payload {
        Payload { data: data.into(), ..Default::default() }
    }

    #[test]
    fn a_field_that_is_set_to_nothing_is_gone() {
        let mut fields = BTreeMap::from([("a".to_owned(), payload("1")), ("b".to_owned(), payload("2"))]);
        let changes = [("a", "null"), ("b", "3"), ("c", "[]")].map(|(name, data)| (name.to_owned(), payload(data)));
        merge(&mut fields, changes.into());
        assert_eq!(fields, BTreeMap::from([("b".to_owned(), payload("3"))]));
    }

    #[test]
    fn a_memo_of_nothing_is_none() {
        let memo = Memo { fields: [("a".to_owned(), payload(""))].into() };
        assert_eq!(memo_without_nil(Some(memo)), None);
    }
}
