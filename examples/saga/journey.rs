//! The workflow.

use stead::prelude::*;

use crate::agency::Agency;

/// A journey, and what is booked of it.
#[derive(Default)]
pub struct Journey {
    booked: State<Vec<String>>,
}

#[workflow]
impl Journey {
    #[run]
    pub async fn run(&self, customer: String) -> workflow::Result<Vec<String>> {
        let outcome = self.book_all(&customer).await;
        if outcome.is_err() {
            // What a cancelled workflow still has to do is shielded from its cancellation.
            workflow::shield(self.undo()).await?;
        }
        outcome.map(|()| self.booked.get())
    }

    /// Waits until so many steps are booked.
    #[update]
    pub async fn until_booked(&self, steps: usize) -> workflow::Result<Vec<String>> {
        workflow::wait_until(|| self.booked.with(Vec::len) >= steps).await?;
        Ok(self.booked.get())
    }

    async fn book_all(&self, customer: &str) -> workflow::Result<()> {
        for what in ["flight", "hotel", "car"] {
            let call = workflow::activity(Agency::book, (what.to_owned(), customer.to_owned()));
            let booking = call.start_to_close(secs(10)).await?;
            self.booked.update(|booked| booked.push(booking));
            workflow::sleep(millis(200)).summary("a moment to think").await?;
        }
        Ok(())
    }

    /// In the reverse order, each step until it succeeds.
    async fn undo(&self) -> workflow::Result<()> {
        while let Some(booking) = self.booked.update(Vec::pop) {
            workflow::activity(Agency::give_back, booking).start_to_close(secs(10)).await?;
        }
        Ok(())
    }
}
