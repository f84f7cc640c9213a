//! Tests that wait for what will not happen, and those that only seem to.

use stead::prelude::*;
use stead::testing::Stuck;

#[derive(Default)]
struct Patient {
    signalled: Cell<bool>,
}

#[workflow]
impl Patient {
    #[run]
    async fn run(&self) -> workflow::Result<u64> {
        workflow::wait_until(|| self.signalled.get()).await?;
        Ok(workflow::activity(Slow::work, ()).start_to_close(mins(1)).await?)
    }

    #[signal]
    fn go_on(&self) {
        self.signalled.set(true);
    }
}

struct Slow;

#[activities]
impl Slow {
    /// Longer, in real time, than it takes to be called stuck.
    #[activity]
    async fn work(&self) -> activity::Result<u64> {
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        Ok(7)
    }
}

#[derive(Default)]
struct Parent;

#[workflow]
impl Parent {
    #[run]
    async fn run(&self) -> workflow::Result<u64> {
        Ok(workflow::child(Patient::run, ()).id("patient").await?)
    }
}

/// What is said of a test that waits for the workflow.
async fn stuck_at<W>(env: &TestEnv, workflow: &WorkflowHandle<W>) -> Stuck
where
    W: stead::data::WorkflowType,
    W::Output: serde::de::DeserializeOwned + std::fmt::Debug + 'static,
{
    tokio::select! {
        result = workflow.result() => panic!("it ended: {result:?}"),
        stuck = env.stuck() => stuck,
    }
}

#[stead::test]
#[should_panic(expected = "Patient `Patient-1` waits for condition at crates/testing/tests/it/stuck.rs:15")]
async fn a_test_that_waits_for_nothing_fails_and_names_the_line(env: TestEnv) {
    let _worker = env.worker().workflow::<Patient>().activities(Slow).start().await.unwrap();
    let patient = env.start(Patient::run, ()).await.unwrap();
    let _ = patient.result().await;
}

#[stead::test]
async fn stuck_workflows_are_shown_with_their_children(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Parent>().workflow::<Patient>().activities(Slow).start().await?;
    let parent = env.start(Parent::run, ()).await?;
    let stuck = stuck_at(&env, &parent).await.to_string();
    for part in ["Parent `Parent-1`", "child Patient `patient`", "Patient `patient` waits for condition at"] {
        assert!(stuck.contains(part), "{part}: {stuck}");
    }
    Ok(())
}

#[stead::test]
async fn a_workflow_without_a_worker_is_stuck(env: TestEnv) -> stead::Result<()> {
    let patient = env.start(Patient::run, ()).await?;
    let stuck = stuck_at(&env, &patient).await.to_string();
    let queue = "Patient `Patient-1` waits for a worker that takes workflow tasks of the task queue `test`";
    assert!(stuck.contains(queue), "{stuck}");
    Ok(())
}

#[stead::test]
async fn an_activity_that_nobody_takes_is_named(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Patient>().start().await?;
    let patient = env.start(Patient::run, ()).await?;
    patient.signal(Patient::go_on, ()).await?;
    let stuck = stuck_at(&env, &patient).await.to_string();
    assert!(stuck.contains("activity `work` (id 1): no worker takes it"), "{stuck}");
    Ok(())
}

#[stead::test]
async fn a_workflow_task_that_fails_again_and_again_is_shown_with_its_failure(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Parent>().start().await?;
    let patient = env.start(Patient::run, ()).await?;
    let stuck = stuck_at(&env, &patient).await.to_string();
    assert!(stuck.contains("Workflow class Patient is not registered on this worker"), "{stuck}");
    Ok(())
}

#[stead::test]
async fn a_test_that_asks_whether_it_is_stuck_is_told_as_often_as_it_asks(env: TestEnv) -> stead::Result<()> {
    let patient = env.start(Patient::run, ()).await?;
    for _ in 0..2 {
        assert!(stuck_at(&env, &patient).await.to_string().contains("Patient `Patient-1`"));
    }
    Ok(())
}

#[stead::test]
async fn an_activity_that_runs_is_no_standstill(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Patient>().activities(Slow).start().await?;
    let patient = env.start(Patient::run, ()).await?;
    patient.signal(Patient::go_on, ()).await?;
    assert_eq!(patient.result().await?, 7);
    Ok(())
}

#[stead::test]
async fn a_test_that_is_busy_itself_is_not_stuck(env: TestEnv) -> stead::Result<()> {
    let patient = env.start(Patient::run, ()).await?;
    // Sleeps, and then computes, as it were.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    let mut result = patient.result().into_future();
    assert!(by_now(&mut result).await.is_none());
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let _worker = env.worker().workflow::<Patient>().activities(Slow).start().await?;
    patient.signal(Patient::go_on, ()).await?;
    Ok(())
}

/// What a future has come to by now.
async fn by_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = tokio::time::sleep(std::time::Duration::from_millis(50)) => None,
    }
}
