//! Workflows that `stead` has, too: `tests/src/moved.rs`.

use std::time::Duration;

use temporalio_common::RetryPolicy;
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::{
    ActivityOptions, ChildWorkflowOptions, ContinueAsNewOptions, LocalActivityOptions, SyncWorkflowContext,
    WorkflowContext, WorkflowContextView, WorkflowResult,
};

pub struct Greeter;

#[activities]
impl Greeter {
    #[activity]
    pub async fn greet(_ctx: ActivityContext, name: String) -> Result<String, ActivityError> {
        Ok(format!("hello {name}"))
    }

    #[activity]
    pub async fn part(_ctx: ActivityContext, name: String) -> Result<String, ActivityError> {
        Ok(format!("bye {name}"))
    }

    /// Fails twice.
    #[activity]
    pub async fn insist(ctx: ActivityContext, _name: String) -> Result<u32, ActivityError> {
        match ctx.info().attempt {
            attempt @ 3.. => Ok(attempt),
            attempt => Err(ActivityError::from(std::io::Error::other(format!("attempt {attempt} fails")))),
        }
    }
}

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(Duration::from_secs(30))
}

#[workflow]
#[derive(Default)]
pub struct Greeting;

#[workflow_methods]
impl Greeting {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        let hello = ctx.execute_activity(Greeter::greet, name.clone(), options()).await?;
        ctx.timer(Duration::from_millis(50)).await;
        let bye = ctx.execute_activity(Greeter::part, name, options()).await?;
        Ok(format!("{hello}, {bye}"))
    }
}

/// Its second retry is due beyond the threshold, so that it waits for a timer.
#[workflow]
#[derive(Default)]
pub struct Persistent;

#[workflow_methods]
impl Persistent {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<u32> {
        let retry = RetryPolicy::builder().initial_interval(Duration::from_millis(100)).backoff_coefficient(10.0);
        let options = LocalActivityOptions::builder()
            .start_to_close_timeout(Duration::from_secs(10))
            .retry_policy(retry.build())
            .timer_backoff_threshold(Duration::from_millis(500))
            .build();
        Ok(ctx.execute_local_activity(Greeter::insist, name, options).await?)
    }
}

#[workflow]
#[derive(Default)]
pub struct Versioned;

#[workflow_methods]
impl Versioned {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        let mut text = ctx.execute_activity(Greeter::greet, name, options()).await?;
        if ctx.patched("louder") {
            text.push('!');
        }
        ctx.timer(Duration::from_millis(50)).await;
        Ok(text)
    }
}

#[workflow]
#[derive(Default)]
pub struct Parent;

#[workflow_methods]
impl Parent {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        let options = ChildWorkflowOptions::workflow_id(format!("{}-child", ctx.workflow_id()));
        let child = ctx.start_child_workflow(Child::run, name, options).await?;
        Ok(format!("the child says {}", child.result().await?))
    }
}

#[workflow]
#[derive(Default)]
pub struct Child;

#[workflow_methods]
impl Child {
    #[run]
    pub async fn run(_ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        Ok(format!("hello {name}"))
    }
}

#[workflow]
#[derive(Default)]
pub struct Counter {
    total: u32,
}

#[workflow_methods]
impl Counter {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, until: u32) -> WorkflowResult<u32> {
        ctx.wait_condition(|state| state.total >= until).await?;
        Ok(ctx.state(|state| state.total))
    }

    #[update_validator(add)]
    fn validate_add(
        &self,
        _ctx: &WorkflowContextView,
        n: &u32,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if *n == 0 { Err("nothing to add".into()) } else { Ok(()) }
    }

    #[update]
    pub fn add(&mut self, _ctx: &mut SyncWorkflowContext<Self>, n: u32) -> u32 {
        self.total += n;
        self.total
    }

    #[query]
    pub fn total(&self, _ctx: &WorkflowContextView) -> u32 {
        self.total
    }
}

#[workflow]
#[derive(Default)]
pub struct Countdown;

#[workflow_methods]
impl Countdown {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, n: u32) -> WorkflowResult<u32> {
        ctx.timer(Duration::from_millis(20)).await;
        if n > 0 {
            ctx.continue_as_new(n - 1, ContinueAsNewOptions::default())?;
        }
        Ok(n)
    }
}

#[workflow]
#[derive(Default)]
pub struct Order {
    reserved: bool,
    paid: Option<u32>,
}

#[workflow_methods]
impl Order {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, item: String) -> WorkflowResult<String> {
        ctx.execute_activity(Greeter::greet, item.clone(), options()).await?;
        ctx.state_mut(|state| state.reserved = true);
        ctx.wait_condition(|state| state.paid.is_some()).await?;
        ctx.timer(Duration::from_millis(100)).await;
        ctx.execute_activity(Greeter::part, item.clone(), options()).await?;
        let paid = ctx.state(|state| state.paid.unwrap_or_default());
        Ok(format!("{item}, paid {paid}, shipped"))
    }

    #[signal]
    pub fn pay(&mut self, _ctx: &mut SyncWorkflowContext<Self>, amount: u32) {
        self.paid = Some(amount);
    }

    #[query]
    pub fn is_reserved(&self, _ctx: &WorkflowContextView) -> bool {
        self.reserved
    }
}
