//! `#[activities]`.

use std::fmt::Display;
use std::sync::Arc;

use stead::activity::{Activities, Definition, Implementation, Input};
use stead::data::{Activity, Arg, Bounded, DataConverter, Unbounded};
use stead::prelude::*;

#[derive(Debug, thiserror::Error, PartialEq, IntoFailure)]
enum ChargeError {
    #[error("the card is empty")]
    #[failure(non_retryable)]
    Empty { card: String },
}

struct Payments {
    prefix: String,
}

#[activities]
impl Payments {
    #[activity]
    async fn charge(&self, card: String, amount: u64) -> activity::Result<String> {
        tokio::task::yield_now().await;
        Ok(self.receipt(&card, amount))
    }

    #[activity(name = "refund-card", errors(ChargeError))]
    fn refund(self: Arc<Self>, card: String) -> activity::Result<()> {
        Err(ChargeError::Empty { card })?;
        Ok(())
    }

    #[activity]
    fn double(amount: u64) -> u64 {
        amount * 2
    }

    fn receipt(&self, card: &str, amount: u64) -> String {
        format!("{}:{card}:{amount}", self.prefix)
    }
}

#[activities(part = 2)]
impl Payments {
    #[activity]
    async fn parse(&self, text: String) -> activity::Result<u64> {
        Ok(text.parse()?)
    }
}

#[activities(part = 3)]
impl Payments {
    #[activity]
    async fn ping(&self) {}
}

/// For those who depend on a single crate.
struct Single;

#[activities(crate = stead::activity)]
impl Single {
    #[activity]
    fn only(&self) {}
}

#[test]
fn another_crate_may_stand_in_for_the_facade() {
    assert_eq!(Single::only.name(), "only");
    assert_eq!(Arc::new(Single).definitions().len(), 1);
}

struct Shown<T> {
    value: T,
}

#[activities]
impl<T: Display + Send + Sync + 'static> Shown<T> {
    #[activity]
    async fn show(&self) -> String {
        tokio::task::yield_now().await;
        self.value.to_string()
    }
}

fn payments() -> Arc<Payments> {
    Arc::new(Payments { prefix: "p".to_owned() })
}

/// Runs the activity `name` the way a worker does.
async fn run<I, O>(
    activities: Arc<impl Activities>,
    reference: &str,
    input: impl Arg<I>,
    arity: usize,
) -> activity::Result<O>
where
    O: serde::de::DeserializeOwned,
{
    let converter = DataConverter::new();
    let Definition { implementation, .. } =
        activities.definitions().into_iter().find(|definition| definition.name == reference).unwrap();
    let input = Input::new(input.encode(&converter, arity).unwrap(), converter.clone());
    let payload = match implementation {
        Implementation::Async(call) => call(input).await?,
        Implementation::Blocking(call) => call(input)?,
    };
    Ok(converter.from_payload(&payload)?)
}

#[test]
fn all_parts_of_a_type_are_registered_with_it() {
    let definitions = payments().definitions();
    let names: Vec<&str> = definitions.iter().map(|definition| definition.name).collect();
    assert_eq!(names, ["charge", "refund-card", "double", "parse", "ping"]);
}

#[test]
fn what_is_not_async_blocks() {
    let definitions = payments().definitions();
    let blocking = |name| {
        let definition = definitions.iter().find(|definition| definition.name == name).unwrap();
        matches!(definition.implementation, Implementation::Blocking(_))
    };
    assert!(blocking("refund-card") && blocking("double"));
    assert!(!blocking("charge") && !blocking("parse"));
}

#[test]
fn paths_are_typed_references() {
    let charge: Activity<Payments, (String, u64), String> = Payments::charge;
    let refund: Activity<Payments, String, ()> = Payments::refund;
    let parse: Activity<Payments, String, u64> = Payments::parse;
    assert_eq!((charge.name(), charge.arity()), ("charge", 2));
    assert_eq!((refund.name(), parse.name()), ("refund-card", "parse"));
    assert_eq!(Shown::<u8>::show.name(), "show");
}

#[tokio::test]
async fn methods_are_still_methods() {
    assert_eq!(payments().charge("visa".to_owned(), 3).await.unwrap(), "p:visa:3");
    assert_eq!(payments().parse("3".to_owned()).await.unwrap(), 3);
    assert!(payments().refund("visa".to_owned()).is_err());
}

#[tokio::test]
async fn arguments_are_decoded_and_results_encoded() {
    let receipt: String = run(payments(), "charge", ("visa".to_owned(), 3), 2).await.unwrap();
    assert_eq!(receipt, "p:visa:3");
    assert_eq!(run::<u64, u64>(payments(), "double", 4, 1).await.unwrap(), 8);
    run::<(), ()>(payments(), "ping", (), 0).await.unwrap();
    assert_eq!(run::<(), String>(Arc::new(Shown { value: 5 }), "show", (), 0).await.unwrap(), "5");
}

#[tokio::test]
async fn a_standard_error_becomes_an_application_failure() {
    let failure = run::<String, u64>(payments(), "parse", "x", 1).await.unwrap_err().into_failure();
    let (_, application) = failure.find_application().unwrap();
    assert_eq!(application.type_name, "ParseIntError");
}

#[tokio::test]
async fn declared_errors_keep_their_type_and_fields() {
    let failure = run::<String, ()>(payments(), "refund-card", "visa", 1).await.unwrap_err().into_failure();
    assert_eq!(failure.application_as(), Some(ChargeError::Empty { card: "visa".to_owned() }));
    assert!(failure.find_application().unwrap().1.non_retryable);
}

struct Press;

#[activities]
impl Press {
    #[activity(
        start_to_close = "30s",
        schedule_to_close = "10m",
        schedule_to_start = "1m",
        heartbeat = "5s",
        task_queue = "presses",
        retry(
            initial_interval = "2s",
            backoff = 3,
            max_interval = "1m",
            max_attempts = 5,
            non_retryable("Jam", "Fire")
        )
    )]
    fn print(&self, page: u32) -> u32 {
        page
    }

    #[activity(heartbeat = "5s")]
    fn fold(&self, page: u32) -> u32 {
        page
    }
}

#[test]
fn a_definition_says_how_its_activity_is_called() {
    let print: Activity<Press, u32, u32, Bounded> = Press::print;
    let defaults = print.defaults().unwrap();
    assert_eq!((defaults.start_to_close, defaults.schedule_to_close), (Some(secs(30)), Some(mins(10))));
    assert_eq!((defaults.schedule_to_start, defaults.heartbeat), (Some(mins(1)), Some(secs(5))));
    assert_eq!(defaults.task_queue.as_deref(), Some("presses"));
    let policy = RetryPolicy::default().initial_interval(secs(2)).backoff(3.0).max_interval(mins(1)).max_attempts(5);
    assert_eq!(defaults.retry, Some(policy.non_retryable(["Jam", "Fire"])));

    let fold: Activity<Press, u32, u32, Unbounded> = Press::fold;
    assert_eq!(fold.defaults().unwrap().heartbeat, Some(secs(5)));
    assert!(Payments::charge.defaults().is_none());
}
