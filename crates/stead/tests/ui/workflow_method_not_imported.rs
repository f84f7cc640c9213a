mod turnstile {
    use stead::prelude::*;

    #[derive(Default)]
    pub struct Turnstile {
        count: Cell<u32>,
    }

    #[workflow]
    impl Turnstile {
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
    let entrance = turnstile::Turnstile::default();
    entrance.bump();
}
