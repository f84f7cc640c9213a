//! Workflows that the programs of other SDKs have, too (`tests/interop/rust/src/workflows.rs`,
//! `tests/interop/python/recordings.py`): what those began is replayed and finished with these.

use stead::prelude::*;

/// Its activities have the names that the official Rust SDK gives them.
pub struct Greeter;

#[activities]
impl Greeter {
    #[activity(name = "Greeter::greet")]
    pub async fn greet(&self, name: String) -> activity::Result<String> {
        Ok(format!("hello {name}"))
    }

    #[activity(name = "Greeter::part")]
    pub async fn part(&self, name: String) -> activity::Result<String> {
        Ok(format!("bye {name}"))
    }

    /// Fails twice.
    #[activity(name = "Greeter::insist")]
    pub async fn insist(&self, _name: String) -> activity::Result<u32> {
        match activity::info().attempt {
            attempt @ 3.. => Ok(attempt),
            attempt => Err(activity::Error::from(std::io::Error::other(format!("attempt {attempt} fails")))),
        }
    }
}

/// Two activities and a timer.
#[derive(Default)]
pub struct Greeting;

#[workflow]
impl Greeting {
    #[run]
    pub async fn run(&self, name: String) -> workflow::Result<String> {
        let hello = workflow::activity(Greeter::greet, &name).start_to_close(secs(30)).await?;
        workflow::sleep(millis(50)).await?;
        let bye = workflow::activity(Greeter::part, &name).start_to_close(secs(30)).await?;
        Ok(format!("{hello}, {bye}"))
    }
}

/// A local activity whose second retry waits for a timer.
#[derive(Default)]
pub struct Persistent;

#[workflow]
impl Persistent {
    #[run]
    pub async fn run(&self, name: String) -> workflow::Result<u32> {
        let retry = RetryPolicy::default().initial_interval(millis(100)).backoff(10.0);
        let insist = workflow::local_activity(Greeter::insist, &name).start_to_close(secs(10)).retry(retry);
        Ok(insist.local_retry_threshold(millis(500)).await?)
    }
}

/// A patch.
#[derive(Default)]
pub struct Versioned;

#[workflow]
impl Versioned {
    #[run]
    pub async fn run(&self, name: String) -> workflow::Result<String> {
        let mut text = workflow::activity(Greeter::greet, &name).start_to_close(secs(30)).await?;
        if workflow::patched("louder") {
            text.push('!');
        }
        workflow::sleep(millis(50)).await?;
        Ok(text)
    }
}

/// A child workflow.
#[derive(Default)]
pub struct Parent;

#[workflow]
impl Parent {
    #[run]
    pub async fn run(&self, name: String) -> workflow::Result<String> {
        let id = format!("{}-child", workflow::info().workflow_id());
        Ok(format!("the child says {}", workflow::child(Child::run, &name).id(id).await?))
    }
}

/// The child.
#[derive(Default)]
pub struct Child;

#[workflow]
impl Child {
    #[run]
    pub async fn run(&self, name: String) -> workflow::Result<String> {
        Ok(format!("hello {name}"))
    }
}

/// Updates, one of them refused.
#[derive(Default)]
pub struct Counter {
    total: Cell<u32>,
}

#[workflow]
impl Counter {
    #[run]
    pub async fn run(&self, until: u32) -> workflow::Result<u32> {
        workflow::wait_until(|| self.total.get() >= until).await?;
        Ok(self.total.get())
    }

    #[update(validator = check)]
    pub fn add(&self, n: u32) -> workflow::Result<u32> {
        self.total.set(self.total.get() + n);
        Ok(self.total.get())
    }

    fn check(&self, n: &u32) -> Result<(), stead::Failure> {
        if *n == 0 { Err(stead::Failure::application("nothing to add")) } else { Ok(()) }
    }

    #[query]
    pub fn total(&self) -> u32 {
        self.total.get()
    }
}

/// Continues as new.
#[derive(Default)]
pub struct Countdown;

#[workflow]
impl Countdown {
    #[run]
    pub async fn run(&self, n: u32) -> workflow::Result<u32> {
        workflow::sleep(millis(20)).await?;
        if n > 0 {
            return workflow::continue_as_new(Self::run, n - 1).exit();
        }
        Ok(n)
    }
}

/// What is left half done when its worker goes: an activity, a signal, a timer, an activity.
#[derive(Default)]
pub struct Order {
    reserved: Cell<bool>,
    paid: Cell<Option<u32>>,
}

#[workflow]
impl Order {
    #[run]
    pub async fn run(&self, item: String) -> workflow::Result<String> {
        workflow::activity(Greeter::greet, &item).start_to_close(secs(30)).await?;
        self.reserved.set(true);
        workflow::wait_until(|| self.paid.get().is_some()).await?;
        workflow::sleep(millis(100)).await?;
        workflow::activity(Greeter::part, &item).start_to_close(secs(30)).await?;
        Ok(format!("{item}, paid {}, shipped", self.paid.get().unwrap_or_default()))
    }

    #[signal]
    pub fn pay(&self, amount: u32) {
        self.paid.set(Some(amount));
    }

    #[query]
    pub fn is_reserved(&self) -> bool {
        self.reserved.get()
    }
}
