//! Search attributes and memo that a workflow sets.

use std::collections::BTreeMap;

use prost::Message;
use stead_proto::command::v1::{
    ModifyWorkflowPropertiesCommandAttributes, UpsertWorkflowSearchAttributesCommandAttributes,
};
use stead_proto::common::v1::{Memo, Payload, SearchAttributes};
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;

use super::{Action, Ahead, Fault};
use crate::engine::run::properties::merge;
use crate::engine::search_attributes::Registry;

impl Ahead<'_> {
    pub(super) fn upsert_search_attributes(
        &mut self,
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
        self.check_attribute_names(Some(attributes))?;
        let attributes = self.checked_attributes(Some(attributes.clone()), |message| message)?.unwrap_or_default();
        let size = fields_size(&attributes.indexed_fields);
        self.check_size(size, cause, "UpsertWorkflowSearchAttributesCommandAttributes")?;
        let ahead =
            self.search_attributes.get_or_insert_with(|| self.run.state.search_attributes.clone().unwrap_or_default());
        merge(&mut ahead.indexed_fields, attributes.indexed_fields.clone());
        self.check_attribute_sizes(self.search_attributes.as_ref(), cause)?;
        Ok(Action::UpsertSearchAttributes(attributes))
    }

    /// There must be such attributes.
    pub(super) fn check_attribute_names(&self, attributes: Option<&SearchAttributes>) -> Result<(), Fault> {
        let Some(attributes) = attributes else { return Ok(()) };
        let checked = Registry::of(self.rules.namespace).validate_names(attributes);
        checked.map_err(|refusal| Fault::task(Cause::BadSearchAttributes, refusal.message))
    }

    /// The attributes with their types. `say` puts what is wrong with them into the words for the command.
    pub(super) fn checked_attributes(
        &self,
        attributes: Option<SearchAttributes>,
        say: impl FnOnce(String) -> String,
    ) -> Result<Option<SearchAttributes>, Fault> {
        let Some(attributes) = attributes else { return Ok(None) };
        let registry = Registry::of(self.rules.namespace);
        let checked = registry.validate_values(&attributes);
        checked.map_err(|refusal| Fault::task(Cause::BadSearchAttributes, say(refusal.message)))?;
        Ok(Some(registry.normalized(attributes)))
    }

    pub(super) fn check_attribute_sizes(
        &self,
        attributes: Option<&SearchAttributes>,
        cause: Cause,
    ) -> Result<(), Fault> {
        let Some(attributes) = attributes else { return Ok(()) };
        let checked = Registry::of(self.rules.namespace).validate_size(attributes);
        checked.map_err(|refusal| Fault::Workflow { cause, message: refusal.message })
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
