mod counter {
    use stead::prelude::*;

    #[derive(Default)]
    pub struct Counter {
        count: Cell<u32>,
    }

    #[workflow]
    impl Counter {
        #[run]
        pub async fn run(&self) -> workflow::Result<u32> {
            Ok(self.count.get())
        }

        #[signal]
        pub fn bump(&self) {
            self.count.set(1);
        }
    }
}

fn main() {
    let counter = counter::Counter::default();
    counter.bump();
}
