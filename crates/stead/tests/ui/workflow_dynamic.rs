use stead::prelude::*;

#[derive(Default)]
struct Named;

#[workflow(name = "x", dynamic)]
impl Named {
    #[run]
    async fn run(&self, a: u32, b: u32) -> workflow::Result<u32> {
        Ok(a + b)
    }

    #[signal(dynamic, name = "pay")]
    fn pay(&self, _amount: u32) {}

    #[config]
    async fn config(&self, _more: u32) -> workflow::Config {
        workflow::Config::new()
    }
}

#[derive(Default)]
struct Twice;

#[workflow(dynamic, dynamic)]
impl Twice {
    #[run]
    async fn run(&self, arguments: Vec<workflow::Raw>) -> workflow::Result<usize> {
        Ok(arguments.len())
    }
}

#[derive(Default)]
struct Typed;

#[workflow(dynamic)]
impl Typed {
    #[run]
    async fn run(&self, arguments: u32) -> workflow::Result<u32> {
        Ok(arguments)
    }

    #[query(dynamic)]
    fn any(&self, _name: String, arguments: u32) -> u32 {
        arguments
    }

    #[query(dynamic)]
    fn other(&self, _name: String, _arguments: Vec<workflow::Raw>) -> u32 {
        1
    }
}

#[derive(Default)]
struct Plain;

#[workflow]
impl Plain {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        Ok(())
    }

    #[config]
    fn config(&self) -> workflow::Config {
        workflow::Config::new()
    }
}

fn main() {}
