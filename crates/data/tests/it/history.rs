use stead_data::history::History;

const EXPORTED: &str = r#"{"events": [{
    "eventId": "1",
    "eventTime": "2026-01-31T12:00:00Z",
    "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
    "workflowExecutionStartedEventAttributes": {
        "workflowType": {"name": "Order"},
        "workflowId": "order-1",
        "originalExecutionRunId": "run-1"
    }
}]}"#;

#[test]
fn an_exported_history_says_what_it_is_the_history_of() {
    let history = History::from_json(EXPORTED).unwrap();
    assert_eq!(history.workflow_id(), Some("order-1"));
    assert_eq!(history.workflow_type(), Some("Order"));
    assert_eq!(history.run_id(), Some("run-1"));
}

#[test]
fn what_is_written_is_read_again() {
    let history = History::from_json(EXPORTED).unwrap();
    assert_eq!(History::from_json(&history.to_json().unwrap()).unwrap(), history);
}

#[test]
fn a_history_without_its_first_event_says_nothing() {
    assert_eq!(History::default().workflow_id(), None);
    assert_eq!(History::default().run_id(), None);
    assert!(History::from_json("nonsense").is_err());
}
