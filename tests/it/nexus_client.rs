//! Nexus operations that no workflow calls.

use stead::Failure;
use stead::client::{
    ExecuteNexusError, NexusOperationCancellationState, NexusOperationIdConflictPolicy, NexusOperationStatus,
    NexusResultError, PendingNexusOperationState, StartNexusError,
};
use stead::prelude::*;
use stead_tests::Env;

#[derive(Debug, PartialEq, thiserror::Error, serde::Serialize, serde::Deserialize, IntoFailure)]
enum PostError {
    #[error("no stamp")]
    NoStamp,
}

#[derive(Default)]
struct Journey;

#[workflow]
impl Journey {
    #[run]
    async fn run(&self, letter: String) -> workflow::Result<String> {
        if letter == "forever" {
            workflow::sleep(days(30)).await?;
        }
        Ok(format!("{letter}, delivered"))
    }
}

struct Post;

#[nexus_service]
impl Post {
    #[operation]
    async fn weigh(&self, letter: String) -> usize {
        letter.len()
    }

    #[operation(errors(PostError))]
    async fn refuse(&self) -> nexus::Result<()> {
        Err(PostError::NoStamp.into())
    }

    #[operation]
    async fn send(&self, letter: String) -> nexus::Result<nexus::Started<String>> {
        let request = nexus::info().start.clone().expect("it starts an operation").request_id;
        nexus::start(nexus::client().start_workflow(Journey::run, letter).id(format!("letter-{request}"))).await
    }
}

#[tokio::test]
async fn sn_1_operations_are_started_without_a_workflow_and_give_their_result_or_their_own_error() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Journey>().nexus_service(Post).build().unwrap();
    let work = async {
        let post = env.client.nexus::<Post>(env.nexus_endpoint().await);
        assert_eq!(post.execute(Post::weigh, "seven g").id(env.id("weigh")).await.unwrap(), 7);
        let sent = post.start(Post::send, "to Ada").id(env.id("send")).summary("a letter").await.unwrap();
        assert!(sent.run_id().is_some());
        assert_eq!(sent.result().await.unwrap(), "to Ada, delivered");
        let again = env.client.nexus_operation::<String>(sent.id());
        assert_eq!(again.result().await.unwrap(), "to Ada, delivered");
        let wrong = again.result_as::<u32>().await.unwrap_err();
        assert!(matches!(wrong, NexusResultError::Conversion(_)), "{wrong:?}");
        let refused = post.execute(Post::refuse, ()).id(env.id("refuse")).await.unwrap_err();
        let ExecuteNexusError::Result(refused) = refused else { panic!("it was started: {refused:?}") };
        assert_eq!(refused.application(), Some(PostError::NoStamp), "{refused:?}");
        let named = env.client.nexus_named(env.nexus_endpoint().await, "Post");
        assert_eq!(named.execute_named::<usize>("weigh", "four").id(env.id("named")).await.unwrap(), 4);
        let unreadable = named.execute_named::<usize>("weigh", 7).id(env.id("unreadable")).await.unwrap_err();
        let unreadable = format!("{:?}", stead::Error::from(unreadable));
        assert!(unreadable.contains("Payload converter failed to decode Nexus operation input"), "{unreadable}");
        let nobody = env.client.nexus_operation::<()>("there is none").result().await.unwrap_err();
        assert!(matches!(nobody, NexusResultError::NotFound { .. }), "{nobody:?}");
    };
    worker.run_until(work).await.unwrap();
}

#[tokio::test]
async fn sn_2_sn_4_an_operation_is_described_cancelled_and_terminated_and_its_id_is_its_own() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Journey>().nexus_service(Post).build().unwrap();
    let work = async {
        let post = env.client.nexus::<Post>(env.nexus_endpoint().await);
        let start =
            |id: &str| post.start(Post::send, "forever").id(id).summary("a long way").schedule_to_close(hours(9));
        let id = env.id("cancel");
        let sent = start(&id).await.unwrap();
        let described = async |state| {
            let wait = async {
                loop {
                    let description = sent.describe().await.unwrap();
                    if description.state() == Some(state) {
                        return description;
                    }
                    tokio::time::sleep(millis(20)).await;
                }
            };
            tokio::time::timeout(secs(30), wait).await.expect("it comes to this state")
        };
        let started = described(PendingNexusOperationState::Started).await;
        assert_eq!(started.status(), Some(NexusOperationStatus::Running));
        assert_eq!((started.service(), started.operation(), started.id()), ("Post", "send", id.as_str()));
        assert_eq!((started.summary(), started.schedule_to_close()), (Some("a long way"), Some(hours(9))));
        assert!(started.operation_token().is_some() && started.cancellation().is_none());
        let refused = start(&id).await.unwrap_err();
        assert!(
            matches!(&refused, StartNexusError::AlreadyStarted { run_id, .. } if Some(run_id.as_str()) == sent.run_id())
        );
        let same = start(&id).on_conflict(NexusOperationIdConflictPolicy::UseExisting).await.unwrap();
        assert_eq!(same.run_id(), sent.run_id());
        sent.cancel().reason("changed my mind").await.unwrap();
        let cancelled = sent.result().await.unwrap_err();
        assert!(cancelled.is_cancelled(), "{cancelled:?}");
        let description = sent.describe().await.unwrap();
        assert_eq!(description.status(), Some(NexusOperationStatus::Cancelled));
        assert_eq!(description.cancellation(), Some(NexusOperationCancellationState::Succeeded));
        assert_eq!(description.cancellation_reason(), Some("changed my mind"));

        let terminated = start(&env.id("terminate")).await.unwrap();
        terminated.terminate().reason("enough").await.unwrap();
        let error = terminated.result().await.unwrap_err();
        assert!(error.failure().is_some_and(|failure: &Failure| failure.to_string().contains("enough")), "{error:?}");
        assert_eq!(terminated.describe().await.unwrap().status(), Some(NexusOperationStatus::Terminated));
    };
    worker.run_until(work).await.unwrap();
}

#[tokio::test]
async fn sn_3_operations_are_listed_and_counted() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Journey>().nexus_service(Post).build().unwrap();
    let work = async {
        let endpoint = env.nexus_endpoint().await;
        let post = env.client.nexus::<Post>(&endpoint);
        for n in 0..3 {
            post.execute(Post::weigh, "seven g").id(env.id(&format!("listed-{n}"))).await.unwrap();
        }
        let query = format!("Endpoint = '{endpoint}' AND ExecutionStatus = 'Completed'");
        let wait = async {
            while env.client.count_nexus_operations(&query).await.unwrap().count < 3 {
                tokio::time::sleep(millis(50)).await;
            }
        };
        tokio::time::timeout(secs(30), wait).await.expect("the index catches up");
        let mut listed = env.client.list_nexus_operations(&query).page_size(2);
        let mut ids = Vec::new();
        while let Some(operation) = listed.next().await {
            let operation = operation.unwrap();
            assert_eq!(operation.status(), Some(NexusOperationStatus::Completed));
            assert_eq!(operation.handle::<usize>().result().await.unwrap(), 7);
            ids.push(operation.id().to_owned());
        }
        assert_eq!(ids.len(), 3, "{ids:?}");
    };
    worker.run_until(work).await.unwrap();
}
