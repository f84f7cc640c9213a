use stead::prelude::*;

#[contract]
pub trait NoRun {
    #[signal]
    fn hold(&self, why: String);
}

#[contract]
pub trait Mixed {
    #[run]
    fn run(&self, order: &str) -> u64;
    #[init]
    fn new() -> Self;
    #[query]
    fn held(&self) -> bool {
        true
    }
    fn helper(&self);
    #[update(validator = check)]
    fn add(&self, item: String);
    #[activity(errors(Refused))]
    fn charge(&self);
    const LIMIT: u32;
}

#[contract]
pub trait Generic<T>: Send {
    #[run]
    fn run(&self);
}

#[contract]
struct NotATrait;

fn main() {
    let _ = (NoRun::hold, Mixed::held);
}
