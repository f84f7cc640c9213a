use stead::prelude::*;

struct Payments;

#[activities]
impl Payments {
    #[activity(dynamic, name = "pay", start_to_close = "30s")]
    fn pay(&self, _a: u32, _b: u32) {}
}

struct Typed;

#[activities]
impl Typed {
    #[activity(dynamic)]
    fn any(&self, _arguments: u32) {}
}

struct Twice;

#[activities]
impl Twice {
    #[activity(dynamic)]
    fn any(&self, _arguments: Vec<activity::Raw>) {}

    #[activity(dynamic)]
    fn other(&self, _arguments: Vec<activity::Raw>) {}
}

struct Unnamed;

#[activities]
impl Unnamed {
    #[activity(dynamic)]
    fn any(&self, _arguments: Vec<activity::Raw>) {}
}

fn main() {
    let _ = Unnamed::any;
}
