//! A workflow that takes a while, for tests that kill its worker.

use stead::prelude::*;

/// Crosses a river until everybody is over.
#[derive(Default)]
pub struct Ferry {
    passengers: State<Vec<String>>,
    crossings: Cell<u32>,
}

#[workflow]
impl Ferry {
    #[run]
    pub async fn run(&self, crossings: u32) -> workflow::Result<Vec<String>> {
        for _ in 0..crossings {
            workflow::activity(River::cross, self.crossings.get()).start_to_close(secs(1)).await?;
            self.crossings.set(self.crossings.get() + 1);
            workflow::sleep(millis(200)).await?;
        }
        workflow::wait_until(|| self.passengers.with(|all| all.len() == 2)).await?;
        Ok(self.passengers.get())
    }

    #[signal]
    pub fn board(&self, name: String) {
        self.passengers.update(|all| all.push(name));
    }

    #[query]
    pub fn crossings(&self) -> u32 {
        self.crossings.get()
    }
}

/// What the ferry crosses.
pub struct River;

#[activities]
impl River {
    #[activity]
    pub async fn cross(&self, times: u32) -> activity::Result<u32> {
        tokio::time::sleep(millis(50)).await;
        Ok(times)
    }
}
