//! Listing and counting workflows.

use stead::client::{Filter, ListError, WorkflowStatus};
use stead::data::{Keyword, SearchAttribute};
use stead::prelude::*;
use stead_tests::Env;

/// The index is a moment behind.
async fn until_listed(env: &Env, query: &str, expected: u64) {
    let wait = async {
        while env.client.count_workflows(query).await.unwrap().count < expected {
            tokio::time::sleep(millis(20)).await;
        }
    };
    tokio::time::timeout(secs(20), wait).await.expect("the workflows should appear in the index");
}

#[tokio::test]
async fn workflows_are_listed_page_by_page_and_counted_in_groups() {
    let env = Env::new().await;
    for number in 0..5u32 {
        let start = env.client.start_workflow_named("Nobody", ()).id(env.id("listed")).task_queue(&env.task_queue);
        let workflow = start.memo("number", number).await.unwrap();
        if number < 2 {
            workflow.terminate().await.unwrap();
        }
    }
    let query = format!("TaskQueue = '{}'", env.task_queue);
    until_listed(&env, &query, 5).await;
    until_listed(&env, &format!("{query} AND ExecutionStatus = 'Terminated'"), 2).await;

    let mut numbers = Vec::new();
    let mut listed = env.client.list_workflows(&query).page_size(2);
    while let Some(workflow) = listed.next().await {
        let workflow = workflow.unwrap();
        assert_eq!((workflow.workflow_type(), workflow.task_queue()), ("Nobody", &*env.task_queue));
        let number = workflow.memo::<u32>("number").unwrap().unwrap();
        let expected = if number < 2 { WorkflowStatus::Terminated } else { WorkflowStatus::Running };
        assert_eq!(workflow.status(), expected);
        numbers.push(number);
        workflow.handle::<stead::data::Untyped>().describe().await.unwrap();
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);

    let mut limited = env.client.list_workflows(&query).page_size(2).limit(3);
    let mut count = 0;
    while let Some(workflow) = limited.next().await {
        workflow.unwrap();
        count += 1;
    }
    assert_eq!(count, 3);

    let terminated = Filter::task_queue(&env.task_queue) & Filter::status(WorkflowStatus::Terminated);
    let since = Filter::started_since(std::time::UNIX_EPOCH) & Filter::workflow_id_prefix("listed-");
    let keyword = || Filter::on(SearchAttribute::<Keyword>::new("StdKeyword"));
    let all = terminated & since & !Filter::workflow_type("Somebody");
    let count = async |filter: Filter| env.client.count_workflows(filter).await.unwrap().count;
    assert_eq!(count(all.clone()).await, 2);
    assert_eq!(count(all.clone() & keyword().is_unset()).await, 2);
    assert_eq!(count(all & (keyword().is(r"o'clock\") | keyword().starts_with("'"))).await, 0);

    let counted = env.client.count_workflows(format!("{query} GROUP BY ExecutionStatus")).await.unwrap();
    assert_eq!(counted.count, 5);
    let mut groups: Vec<_> =
        counted.groups.iter().map(|group| (group.value::<String>(0).unwrap().unwrap(), group.count())).collect();
    groups.sort_unstable();
    assert_eq!(groups, [("Running".to_owned(), 3), ("Terminated".to_owned(), 2)]);
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_named() {
    let env = Env::new().await;
    let error = env.client.list_workflows("this is = not").next().await.unwrap().unwrap_err();
    assert!(matches!(&error, ListError::InvalidQuery { query, .. } if query == "this is = not"), "{error}");
    assert!(env.client.count_workflows("nor this").await.is_err());
}
