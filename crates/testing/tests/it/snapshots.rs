use stead::prelude::*;

#[derive(Default)]
struct Reminder;

#[workflow]
impl Reminder {
    #[run]
    async fn run(&self, whom: String) -> workflow::Result<String> {
        workflow::sleep(days(1)).await?;
        Ok(format!("call {whom}"))
    }
}

#[stead::test]
async fn a_history_is_compared_with_the_one_that_is_kept(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Reminder>().start().await?;
    let reminder = env.start(Reminder::run, "Ada").await?;
    reminder.result().await?;
    env.history(&reminder).await?.assert_snapshot("reminder");
    Ok(())
}

#[stead::test]
async fn a_difference_is_shown_line_by_line(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Reminder>().start().await?;
    let reminder = env.start(Reminder::run, "Bob").await?;
    reminder.result().await?;
    let snapshot = env.history(&reminder).await?;
    let panic = std::panic::catch_unwind(|| snapshot.assert_snapshot("reminder")).unwrap_err();
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains("- 1 WorkflowExecutionStarted Reminder \"Ada\""), "{message}");
    assert!(message.contains("+ 1 WorkflowExecutionStarted Reminder \"Bob\""), "{message}");
    Ok(())
}
