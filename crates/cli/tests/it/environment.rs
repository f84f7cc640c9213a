//! The program as the server of a test environment.

use stead::prelude::*;
use stead::testing::ServerProgram;

#[derive(Default)]
struct Hello;

#[workflow]
impl Hello {
    #[run]
    async fn run(&self, name: String) -> workflow::Result<String> {
        workflow::sleep(millis(1)).await?;
        Ok(format!("Hello, {name}!"))
    }
}

#[tokio::test]
async fn an_environment_starts_a_program_and_ends_it() -> stead::Result<()> {
    let env = TestEnv::on(ServerProgram::stead(env!("CARGO_BIN_EXE_stead"))).await?;
    let worker = env.worker().workflow::<Hello>().start().await?;
    assert_eq!(env.start(Hello::run, "Ada").await?.result().await?, "Hello, Ada!");
    worker.stop().await?;
    let client = env.client().clone();
    drop(env);
    let options = stead::client::CallOptions::new().timeout(millis(500));
    assert!(client.connection().check_health(options).await.is_err(), "the program goes on");
    Ok(())
}

#[tokio::test]
async fn a_program_that_does_not_serve_is_named() {
    let missing = TestEnv::on(ServerProgram::stead("/nowhere/stead")).await.unwrap_err().to_string();
    assert!(missing.contains("/nowhere/stead"), "{missing}");
    let wrong = ServerProgram::new(env!("CARGO_BIN_EXE_stead")).arg("no-such-command");
    let ended = TestEnv::on(wrong).await.unwrap_err().to_string();
    assert!(ended.contains("it ended with"), "{ended}");
}
