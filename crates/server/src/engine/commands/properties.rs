//! Search attributes and memo that a workflow sets.

use std::collections::BTreeMap;

use prost::Message;
use stead_proto::command::v1::{
    ModifyWorkflowPropertiesCommandAttributes, UpsertWorkflowSearchAttributesCommandAttributes,
};
use stead_proto::common::v1::{Memo, Payload};
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;

use super::{Action, Ahead, Fault};
use crate::engine::run::properties::merge;

impl Ahead<'_> {
    pub(super) fn upsert_search_attributes(
        &self,
        command: &UpsertWorkflowSearchAttributesCommandAttributes,
    ) -> Result<Action, Fault> {
        let cause = Cause::BadSearchAttributes;
        let Some(attributes) = &command.search_attributes else {
            let message = "SearchAttributes is not set on UpsertWorkflowSearchAttributesCommand.";
            return Err(Fault::task(cause, message));
        };
        if attributes.indexed_fields.is_empty() {
            return Err(Fault::task(cause, "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand."));
        }
        let size = fields_size(&attributes.indexed_fields);
        self.check_size(size, cause, "UpsertWorkflowSearchAttributesCommandAttributes")?;
        Ok(Action::UpsertSearchAttributes(attributes.clone()))
    }

    pub(super) fn modify_properties(
        &mut self,
        command: &ModifyWorkflowPropertiesCommandAttributes,
    ) -> Result<Action, Fault> {
        let cause = Cause::BadModifyWorkflowPropertiesAttributes;
        let Some(memo) = &command.upserted_memo else {
            return Err(Fault::task(cause, "UpsertedMemo is not set on ModifyWorkflowPropertiesCommand."));
        };
        if memo.fields.is_empty() {
            return Err(Fault::task(cause, "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand."));
        }
        self.check_size(fields_size(&memo.fields), cause, "ModifyWorkflowPropertiesCommandAttributes")?;
        let ahead = self.memo.get_or_insert_with(|| self.run.state.memo.clone().unwrap_or_default());
        merge(&mut ahead.fields, memo.fields.clone());
        let size = ahead.encoded_len();
        self.check_memo_size(size, cause, "ModifyWorkflowPropertiesCommandAttributes. Memo")?;
        Ok(Action::ModifyMemo(Memo { fields: memo.fields.clone() }))
    }
}

/// Names and data, as the server counts the bytes of an upsert.
fn fields_size(fields: &BTreeMap<String, Payload>) -> usize {
    fields.iter().map(|(name, payload)| name.len() + payload.data.len()).sum()
}
