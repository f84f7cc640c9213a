//! Search attributes and memo fields that the code sets.

use stead_activation::{CallSite, PayloadMap};
use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{
    ModifyWorkflowPropertiesCommandAttributes, UpsertWorkflowSearchAttributesCommandAttributes,
};
use stead_proto::common::v1::{Memo, SearchAttributes};
use stead_proto::enums::v1::CommandType;

use super::Machines;
use super::pending::{What, wire};
use crate::flags::Flag;
use crate::patch::SEARCH_ATTRIBUTE;

impl Machines {
    /// The attribute that lists the run's patches is kept by [`set_patch`](Self::set_patch): what the code says of it has
    /// no effect. The command is issued nonetheless, as it always was.
    pub(super) fn upsert_search_attributes(&mut self, mut attributes: PayloadMap, at: Option<CallSite>) {
        if self.uses(Flag::UpsertOnPatch) {
            attributes.remove(SEARCH_ATTRIBUTE);
        }
        apply(&mut self.start.legacy.get_or_insert_default().search_attributes, &attributes);
        self.issue(What::UpsertSearchAttributes, at, |_| {
            let search_attributes = Some(SearchAttributes { indexed_fields: attributes });
            let attributes = UpsertWorkflowSearchAttributesCommandAttributes { search_attributes };
            let attributes = Attributes::UpsertWorkflowSearchAttributesCommandAttributes(attributes);
            wire(CommandType::UpsertWorkflowSearchAttributes, attributes)
        });
    }

    pub(super) fn upsert_memo(&mut self, fields: PayloadMap, at: Option<CallSite>) {
        apply(&mut self.start.legacy.get_or_insert_default().memo, &fields);
        self.issue(What::UpsertMemo, at, |_| {
            let attributes = ModifyWorkflowPropertiesCommandAttributes { upserted_memo: Some(Memo { fields }) };
            let attributes = Attributes::ModifyWorkflowPropertiesCommandAttributes(attributes);
            wire(CommandType::ModifyWorkflowProperties, attributes)
        });
    }
}

/// What the next run of the chain inherits has to be kept up to date. Nothing is what removes an entry.
fn apply(current: &mut PayloadMap, changes: &PayloadMap) {
    for (name, payload) in changes {
        let is_nothing = payload.metadata.get("encoding").is_some_and(|encoding| encoding == "binary/null");
        if is_nothing {
            current.remove(name);
        } else {
            current.insert(name.clone(), payload.clone());
        }
    }
}
