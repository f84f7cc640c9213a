use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{
    Command, ModifyWorkflowPropertiesCommandAttributes, UpsertWorkflowSearchAttributesCommandAttributes,
};
use stead_proto::common::v1::{Memo, Payload, SearchAttributes};
use stead_server::engine::Config;

use crate::support::{Server, command, start_request, types};
use crate::{call, last};

fn payload(data: &str) -> Payload {
    let metadata = [("encoding".to_owned(), "json/plain".into())].into();
    Payload { metadata, data: data.to_owned().into(), ..Default::default() }
}

fn memo(fields: &[(&str, &str)]) -> Memo {
    Memo { fields: fields.iter().map(|(name, data)| ((*name).to_owned(), payload(data))).collect() }
}

fn modifies(memo: Option<Memo>) -> Command {
    let attributes = ModifyWorkflowPropertiesCommandAttributes { upserted_memo: memo };
    command(Attributes::ModifyWorkflowPropertiesCommandAttributes(attributes))
}

fn upserts(attributes: Option<SearchAttributes>) -> Command {
    let attributes = UpsertWorkflowSearchAttributesCommandAttributes { search_attributes: attributes };
    command(Attributes::UpsertWorkflowSearchAttributesCommandAttributes(attributes))
}

#[test]
fn a_memo_is_changed_by_an_event_that_says_how() {
    let mut server = Server::new();
    server.start("w");
    let change = memo(&[("a", "1"), ("b", "null")]);
    server.step(vec![modifies(Some(change.clone()))]);
    let history = server.history("w");
    assert!(types(&history).ends_with("WorkflowTaskCompleted WorkflowPropertiesModified"), "{}", types(&history));
    let modified = last!(history, WorkflowPropertiesModifiedEventAttributes);
    assert_eq!((modified.upserted_memo, modified.workflow_task_completed_event_id), (Some(change), 4));
}

#[test]
fn what_a_start_says_with_null_it_does_not_say() {
    let mut server = Server::new();
    let mut request = start_request("w");
    request.memo = Some(memo(&[("a", "1"), ("b", "null"), ("c", "[]")]));
    call!(server, StartWorkflowExecution, request);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.memo, Some(memo(&[("a", "1")])));
}

#[test]
fn empty_changes_are_refused_with_the_words_of_the_server() {
    for (command, says) in [
        (
            modifies(None),
            "BadModifyWorkflowPropertiesAttributes: UpsertedMemo is not set on ModifyWorkflowPropertiesCommand.",
        ),
        (
            modifies(Some(Memo::default())),
            "BadModifyWorkflowPropertiesAttributes: UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.",
        ),
        (upserts(None), "BadSearchAttributes: SearchAttributes is not set on UpsertWorkflowSearchAttributesCommand."),
        (
            upserts(Some(SearchAttributes::default())),
            "BadSearchAttributes: IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.",
        ),
    ] {
        let mut server = Server::new();
        server.start("w");
        assert_eq!(server.refused(vec![command]), says);
    }
}

#[test]
fn a_memo_that_grows_too_large_is_the_end_of_its_workflow() {
    let mut config = Config::default();
    config.limits.memo = 200;
    let mut server = Server::with(config);
    server.start("w");
    let half = "1".repeat(120);
    let says = "BadModifyWorkflowPropertiesAttributes: ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size \
                limit.";
    assert_eq!(
        server.refused(vec![modifies(Some(memo(&[("a", &half)]))), modifies(Some(memo(&[("b", &half)])))]),
        says
    );
    let history = server.history("w");
    assert_eq!(last!(history, WorkflowExecutionTerminatedEventAttributes).reason, says);
    assert!(!types(&history).contains("WorkflowPropertiesModified"), "all of it or nothing");
}
