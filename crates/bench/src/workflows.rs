//! What both programs run: `K` activities one after the other, and a workflow that waits for ever.

use stead::prelude::*;

#[derive(Default)]
pub struct Acts;

#[workflow]
impl Acts {
    #[run]
    pub async fn run(&self, n: u32) -> workflow::Result<u32> {
        let mut sum = 0u32;
        for i in 0..n {
            sum = sum.wrapping_add(workflow::activity(Echo::echo, i).start_to_close(secs(30)).await?);
        }
        Ok(sum)
    }
}

#[derive(Default)]
pub struct Idle {
    done: Cell<bool>,
}

#[workflow]
impl Idle {
    #[run]
    pub async fn run(&self, _: u32) -> workflow::Result<u32> {
        workflow::wait_until(|| self.done.get()).await?;
        Ok(1)
    }

    #[signal]
    pub fn finish(&self, _: u32) {
        self.done.set(true);
    }
}

pub struct Echo;

#[activities]
impl Echo {
    #[activity]
    pub async fn echo(&self, i: u32) -> activity::Result<u32> {
        Ok(i)
    }

    /// Has so many megabytes for two seconds.
    #[activity]
    pub async fn hold(&self, megabytes: usize) -> activity::Result<()> {
        let held = vec![1u8; megabytes << 20];
        tokio::time::sleep(secs(2)).await;
        drop(held);
        Ok(())
    }
}

#[derive(Default)]
pub struct Sleeps;

#[workflow]
impl Sleeps {
    /// So many timers at once, the first of `first` seconds, each `apart` seconds longer than the one before.
    #[run]
    pub async fn run(&self, timers: u64, first: u64, apart: u64) -> workflow::Result<u64> {
        let sleeps = (0..timers).map(|i| workflow::sleep(secs(first + i * apart)));
        workflow::join_all(sleeps).await;
        Ok(timers)
    }
}

/// Sleeps again and again, a second each time.
#[derive(Default)]
pub struct Naps;

#[workflow]
impl Naps {
    #[run]
    pub async fn run(&self, naps: u64) -> workflow::Result<u64> {
        for _ in 0..naps {
            workflow::sleep(secs(1)).await?;
        }
        Ok(naps)
    }
}
