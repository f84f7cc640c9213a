use stead::prelude::*;

#[derive(IntoFailure)]
enum Silent {
    Unpaid,
}

fn main() {}
