//! The calls of `tests/it/calls.rs`, in the workflow itself.

use std::collections::HashMap;
use std::net::TcpStream;
use std::time::{Instant, SystemTime};

use stead::prelude::*;

#[derive(Default)]
struct Calls;

#[workflow]
impl Calls {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        let _ = (SystemTime::now(), Instant::now(), chrono::Utc::now());
        let _ = (uuid::Uuid::new_v4(), rand::random(), fastrand::u64(0));
        let _ = (HashMap::<u32, u32>::new(), std::fs::read("file"), std::env::var("NAME"));
        std::thread::sleep(secs(1));
        std::thread::spawn(|| ());
        let _ = TcpStream::connect("127.0.0.1:1");
        tokio::spawn(async {});
        tokio::time::sleep(secs(1)).await;
        tokio::select! { () = async {} => {} }
        futures::select! { () = async {} => {} }
        let _ = std::process::Command::new("true");
        Ok(())
    }
}

mod chrono {
    pub struct Utc;

    impl Utc {
        pub fn now() {}
    }
}

mod uuid {
    pub struct Uuid;

    impl Uuid {
        pub fn new_v4() {}
    }
}

mod rand {
    pub fn random() {}
}

mod fastrand {
    pub fn u64(_below: u64) {}
}

mod futures {
    macro_rules! select {
        ($($any:tt)*) => {};
    }
    pub(crate) use select;
}

fn main() {}
