use stead::prelude::*;

struct Payments;

#[activities]
impl Payments {
    #[activity(start_to_close = "30 seconds")]
    fn charge(&self) {}

    #[activity(heartbeat = "0s")]
    fn watch(&self) {}

    #[activity(retry(backoff = 0.5))]
    fn hurry(&self) {}

    #[activity(retry(attempts = 3))]
    fn insist(&self) {}

    #[activity(process, dynamic)]
    async fn render(&self, _arguments: Vec<activity::Raw>) {}

    #[activity(retries = 5)]
    fn refund(&self) {}

    #[activity]
    fn audit(&mut self) {}

    #[signal]
    fn hold(&self) {}
}

struct Nothing;

#[activities]
impl Nothing {
    fn helper(&self) {}
}

struct Parts;

#[activities(part = 1)]
impl Parts {
    #[activity]
    fn charge(&self) {}
}

struct Named;

#[activities(name = "named")]
impl Clone for Named {
    #[activity]
    fn clone(&self) -> Self {
        Named
    }
}

fn main() {
    let _ = (Payments::charge, Payments::refund);
}
