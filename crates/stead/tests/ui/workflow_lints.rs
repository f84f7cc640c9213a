use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use stead::prelude::*;

#[derive(Default)]
struct Order;

#[workflow]
impl Order {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        let _now = SystemTime::now();
        std::thread::sleep(std::time::Duration::from_secs(1));
        tokio::spawn(async {});
        tokio::select! { _ = std::future::pending::<()>() => {} }
        println!("{:?}", std::env::var("X"));
        let _fine = workflow::nondeterministic!(SystemTime::now());
        Ok(self.helper())
    }

    fn helper(&self) -> u32 {
        let _order = HashMap::<u32, u32>::new();
        rand::random()
    }

    #[allow(deprecated)]
    #[query]
    fn distinct(&self) -> usize {
        HashSet::from([1, 1]).len()
    }
}

mod rand {
    pub fn random() -> u32 {
        4
    }
}

fn main() {}
