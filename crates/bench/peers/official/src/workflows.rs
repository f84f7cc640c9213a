//! What both programs run: `K` activities one after the other, and a workflow that waits for ever.

use std::time::Duration;

use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::{ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult};

#[workflow]
#[derive(Default)]
pub struct Acts;

#[workflow_methods]
impl Acts {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, n: u32) -> WorkflowResult<u32> {
        let mut sum = 0u32;
        for i in 0..n {
            let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(30));
            sum = sum.wrapping_add(ctx.execute_activity(Echo::echo, i, options).await?);
        }
        Ok(sum)
    }
}

#[workflow]
#[derive(Default)]
pub struct Idle {
    done: bool,
}

#[workflow_methods]
impl Idle {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, _: u32) -> WorkflowResult<u32> {
        ctx.wait_condition(|state| state.done).await?;
        Ok(1)
    }

    #[signal]
    pub fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _: u32) {
        self.done = true;
    }
}

pub struct Echo;

#[activities]
impl Echo {
    #[activity]
    pub async fn echo(_ctx: ActivityContext, i: u32) -> Result<u32, ActivityError> {
        Ok(i)
    }
}
