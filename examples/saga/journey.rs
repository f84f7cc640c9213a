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
        workflow::saga(async |saga| {
            for what in ["flight", "hotel", "car"] {
                let call = workflow::activity(Agency::book, (what.to_owned(), customer.clone()));
                let booking = call.start_to_close(secs(10)).await?;
                // From here on it is given back, whatever happens: also if the workflow is cancelled.
                saga.undo_by(workflow::activity(Agency::give_back, booking.clone()).start_to_close(secs(10)));
                self.booked.update(|booked| booked.push(booking));
                workflow::sleep(millis(200)).summary("a moment to think").await?;
            }
            Ok(self.booked.get())
        })
        .await
    }

    /// Waits until so many steps are booked.
    #[update]
    pub async fn until_booked(&self, steps: usize) -> workflow::Result<Vec<String>> {
        workflow::wait_until(|| self.booked.with(Vec::len) >= steps).await?;
        Ok(self.booked.get())
    }
}
