//! What workflow code logs, once however often it is replayed.

use stead_workflow as workflow;
use stead_workflow::SkipReplays;

use crate::support::*;

workflow!(
    Talks,
    |board, input: ()| -> () {
        tracing::info!("begins");
        workflow::sleep(SECOND).await?;
        let _span = tracing::info_span!("end").entered();
        tracing::info!("ends");
        Ok(())
    },
    [query!("said", |board, input: ()| {
        assert!(workflow::replay::is_read_only());
        tracing::info!("asked");
    })]
);

#[test]
fn events_and_spans_of_replayed_code_are_dropped_and_others_are_not() {
    let log = Log::default();
    keep_logs_on();
    tracing::subscriber::with_default(SkipReplays::new(log.clone()), || {
        tracing::info!("outside");
        let mut run = Driver::new::<Talks>();
        run.is_replaying = true;
        run.activate(vec![initialize(&())]);
        // What only carries queries counts as replaying, and yet they are answered now.
        run.query("said", ());
        run.is_replaying = false;
        run.activate(vec![fire(1)]);
    });
    assert_eq!(log.take(), ["INFO message=outside", "INFO message=asked", "INFO message=ends"]);
    assert_eq!(log.spans().last().map(String::as_str), Some("end"));
    let replayed = Log::default();
    tracing::subscriber::with_default(SkipReplays::new(replayed.clone()), || {
        let mut run = Driver::new::<Talks>();
        run.is_replaying = true;
        run.activate(vec![initialize(&())]);
        run.activate(vec![fire(1)]);
    });
    assert!(replayed.take().is_empty());
    assert!(!replayed.spans().contains(&"end".to_owned()));
}

#[test]
fn what_a_workflow_logs_stands_in_a_span_that_says_whose_it_is() {
    let log = Log::default();
    keep_logs_on();
    tracing::subscriber::with_default(log.clone(), || drop(Driver::start::<Talks>(())));
    assert!(log.spans().iter().any(|span| span == "workflow workflow_id=order-1"), "{:?}", log.spans());
}
