use stead::prelude::*;

struct Gap;

#[activities]
impl Gap {
    #[activity]
    fn first(&self) {}
}

#[activities(part = 3)]
impl Gap {
    #[activity]
    fn third(&self) {}
}

struct NoFirst;

#[activities(part = 2)]
impl NoFirst {
    #[activity]
    fn second(&self) {}
}

struct Twice;

#[activities]
impl Twice {
    #[activity]
    fn first(&self) {}
}

#[activities]
impl Twice {
    #[activity]
    fn second(&self) {}
}

fn main() {}
