use stead::prelude::*;

#[derive(IntoFailure)]
enum Twice {
    First,
    #[failure(type = "First")]
    Second,
}

#[derive(IntoFailure)]
#[failure(type = "Whole")]
enum Options {
    #[failure(retryable)]
    Unknown,
    #[failure(next_retry_delay = "5 parsecs")]
    Delay,
    #[failure(crate = stead)]
    Crate,
}

#[derive(IntoFailure)]
struct Generic<T>(T);

#[derive(IntoFailure)]
union Union {
    field: u8,
}

fn fails() -> Result<(), workflow::Error> {
    Err(Twice::First)?;
    Err(Options::Unknown)?
}

fn main() {}
