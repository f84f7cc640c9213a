//! The Rust side of `tests/interop/storage`: a worker, and a call of the other side's worker, with a store that both
//! share.
//!
//!     storage-interop ADDRESS THEIR_QUEUE OUR_QUEUE KIND FOLDER BUCKET

use stead::DataConverter;
use stead::data::ExternalStorage;
use stead::prelude::*;
use stead_object_store::ObjectStorage;
use stead_object_store::object_store::local::LocalFileSystem;
use tokio::io::AsyncReadExt;

struct Copier;

#[activities]
impl Copier {
    #[activity]
    async fn copy(&self, text: String) -> activity::Result<String> {
        Ok(format!("{text}, copied by Rust"))
    }
}

#[derive(Default)]
struct Copies;

#[workflow]
impl Copies {
    #[run]
    async fn run(&self, text: String) -> workflow::Result<String> {
        Ok(workflow::activity(Copier::copy, text).start_to_close(secs(30)).await?)
    }
}

type Failed = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, theirs, ours, kind, folder, bucket] = &arguments[..] else {
        return Err("storage-interop ADDRESS THEIR_QUEUE OUR_QUEUE KIND FOLDER BUCKET".into());
    };
    let folder = LocalFileSystem::new_with_prefix(folder)?;
    let driver = match kind.as_str() {
        "s3" => ObjectStorage::s3(folder, bucket),
        "gcs" => ObjectStorage::gcs(folder, bucket),
        other => return Err(format!("there is no driver for `{other}`").into()),
    };
    let storage = ExternalStorage::new(driver).min_size(1000);
    let client = Client::connect(address).data_converter(DataConverter::new().with_external_storage(storage)).await?;
    let worker = Worker::builder(&client, ours).workflow::<Copies>().activities(Copier).build()?;
    worker
        .run_while(async {
            let volume = "voluminous ".repeat(2000);
            let copying = client.start_workflow(Copies::run, &volume).id(format!("{theirs}-copies")).task_queue(theirs);
            assert_eq!(copying.await?.result().await?, format!("{volume}, copied"));
            // Until the other side has made its call.
            tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
            Ok::<(), Failed>(())
        })
        .await?
}
