use stead_data::{ApplicationFailure, Failure, FromFailure, IntoFailure};
use stead_workflow as workflow;

use crate::support::*;

#[derive(Debug, PartialEq)]
struct OutOfStock;

impl IntoFailure for OutOfStock {
    fn into_failure(self) -> Failure {
        Failure::application("out of stock").type_name("OutOfStock").non_retryable()
    }
}

impl FromFailure for OutOfStock {
    fn from_failure(_: &Failure, application: &ApplicationFailure) -> Option<Self> {
        (application.type_name == "OutOfStock").then_some(Self)
    }
}

#[test]
fn an_error_of_the_user_s_own_becomes_an_error_and_can_be_had_back() {
    let error = workflow::Error::from(OutOfStock);
    assert_eq!(error.application::<OutOfStock>(), Some(OutOfStock));
    assert_eq!(error.to_string(), OutOfStock.into_failure().to_string());
    assert!(!error.is_cancelled() && !error.is_timeout());
}

workflow!(Recovers, |board, input: ()| -> String {
    match charge("a").await {
        Err(error) => Ok(match error.application::<OutOfStock>() {
            Some(OutOfStock) => "ordered more".into(),
            None => format!("timed out: {}", error.is_timeout()),
        }),
        Ok(receipt) => Ok(receipt.to_string()),
    }
});

#[test]
fn a_workflow_gets_the_typed_error_of_its_activity_back() {
    let (mut run, _) = Driver::start::<Recovers>(());
    let commands = run.activate(vec![failed(1, OutOfStock.into_failure())]);
    assert_eq!(outline(&commands), [r#"complete workflow: "ordered more""#]);
}

#[test]
fn a_timeout_of_an_activity_is_told_from_other_failures() {
    let (mut run, _) = Driver::start::<Recovers>(());
    let timeout = Failure::timeout("too late", stead_data::TimeoutKind::StartToClose);
    assert_eq!(outline(&run.activate(vec![failed(1, timeout)])), [r#"complete workflow: "timed out: true""#]);
}
