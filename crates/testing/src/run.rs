//! What `#[stead::test]` calls.

use std::future::Future;

use crate::TestEnv;

/// Runs a test with an environment of its own, on a runtime of its own.
///
/// # Panics
///
/// If the environment cannot be made, as the test does, or if the test waits for what will not happen.
pub fn run<F, R>(test: F) -> R::Output
where
    F: FnOnce(TestEnv) -> R,
    R: Future,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("cannot start the test's runtime: {error}"));
    let output = runtime.block_on(async {
        let env = TestEnv::new().await.unwrap_or_else(|error| panic!("cannot make the test's environment: {error}"));
        let stuck = env.stuck_unasked();
        tokio::select! {
            biased;
            output = test(env) => output,
            stuck = stuck => panic!("{stuck}"),
        }
    });
    // What the test left running must not outlive it, however long it would take.
    runtime.shutdown_background();
    output
}
