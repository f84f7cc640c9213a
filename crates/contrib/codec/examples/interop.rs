//! The Rust side of `tests/interop/codec`: a worker, and calls of the other side's worker, with the codec that both share.
//!
//!     interop ADDRESS THEIR_QUEUE OUR_QUEUE

use std::sync::Arc;

use stead::data::EncodedAttributes;
use stead::prelude::*;
use stead::{DataConverter, Failure};
use stead_codec::{Encryption, Key, Keys};
use tokio::io::AsyncReadExt;

struct Voice;

#[activities]
impl Voice {
    #[activity]
    async fn shout(&self, text: String) -> activity::Result<String> {
        Ok(format!("{}, says Rust", text.to_uppercase()))
    }
}

#[derive(Default)]
struct Echo;

#[workflow]
impl Echo {
    #[run]
    async fn run(&self, text: String) -> workflow::Result<String> {
        if text.ends_with('!') {
            return Err(Failure::application(format!("{text} is too loud")).type_name("TooLoud").into());
        }
        Ok(workflow::activity(Voice::shout, text).start_to_close(secs(30)).await?)
    }
}

type Failed = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("interop ADDRESS THEIR_QUEUE OUR_QUEUE");
    let (address, theirs, ours) = (argument()?, argument()?, argument()?);
    // The key of the samples.
    let keys = Keys::new("test-key-id", Key::new(*b"test-key-test-key-test-key-test!"));
    let converter = DataConverter::new()
        .with_codec(Arc::new(Encryption::new(keys)))
        .with_failure_converter(Arc::new(EncodedAttributes));
    let client = Client::connect(address).data_converter(converter).await?;
    let worker = Worker::builder(&client, ours).workflow::<Echo>().activities(Voice).build()?;
    worker
        .run_while(async {
            call_python(&client, &theirs).await?;
            // Until the other side has made its calls.
            tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
            Ok::<(), Failed>(())
        })
        .await?
}

async fn call_python(client: &Client, queue: &str) -> Result<(), Failed> {
    let start = |text: &str, id: &str| {
        let id = format!("{queue}-{id}");
        client.start_workflow(Echo::run, text.to_owned()).id(id).task_queue(queue)
    };
    let answer = start("hush two", "quiet").await?.result().await?;
    assert_eq!(answer, "HUSH TWO, says Python");
    let error = start("hush two!", "loud").await?.result().await.expect_err("it is too loud");
    let (failure, application) = error.failure().and_then(Failure::find_application).ok_or("no application failure")?;
    assert_eq!((&*application.type_name, &*failure.message), ("TooLoud", "hush two! is too loud"));
    Ok(())
}
