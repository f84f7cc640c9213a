//! Looking at an activity without a workflow, and waiting for it to change or to end.

use bytes::Bytes;
use prost::Message;
use stead_proto::workflowservice::v1 as api;

use super::ActivityKey;
use super::checks::Texts;
use crate::engine::call::Outcome;
use crate::engine::waits::{Subject, Wait};
use crate::engine::{Call, Engine, Refusal, Response};

/// What a call about an activity waits for.
#[derive(Debug)]
pub(crate) struct ActivityWait {
    pub(crate) key: ActivityKey,
    what: Awaited,
}

#[derive(Debug)]
enum Awaited {
    /// That something of it changes.
    Change(Box<api::DescribeActivityExecutionRequest>, u64),
    /// That it ends.
    Outcome,
}

/// How much a caller knows of an activity. Callers see bytes.
#[derive(Clone, PartialEq, Message)]
struct Seen {
    #[prost(string, tag = "1")]
    run_id: String,
    #[prost(uint64, tag = "2")]
    transitions: u64,
}

impl ActivityWait {
    /// What the call is answered when nothing has happened: that it may ask again.
    pub(crate) fn nothing_new(&self) -> Response {
        match self.what {
            Awaited::Change(..) => api::DescribeActivityExecutionResponse::default().into(),
            Awaited::Outcome => api::PollActivityExecutionResponse::default().into(),
        }
    }
}

impl Engine {
    pub(in crate::engine) fn describe_activity_execution(
        &mut self,
        call: &Call,
        request: api::DescribeActivityExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        if !request.long_poll_token.is_empty() && request.run_id.is_empty() {
            return Err(Refusal::invalid("run id is required when long poll token is provided"));
        }
        self.check_activity(&request.activity_id, &request.run_id, Texts::default())?;
        let key = self.activities.find(namespace, &request.activity_id, &request.run_id)?;
        let transitions = match request.long_poll_token.clone() {
            token if token.is_empty() => None,
            token => Some(seen(token, &request.run_id)?),
        };
        let what = Awaited::Change(Box::new(request), transitions.unwrap_or(u64::MAX));
        self.watch(call, ActivityWait { key, what })
    }

    pub(in crate::engine) fn poll_activity_execution(
        &mut self,
        call: &Call,
        request: &api::PollActivityExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.check_activity(&request.activity_id, &request.run_id, Texts::default())?;
        let key = self.activities.find(namespace, &request.activity_id, &request.run_id)?;
        self.watch(call, ActivityWait { key, what: Awaited::Outcome })
    }

    fn watch(&mut self, call: &Call, wait: ActivityWait) -> Result<Outcome, Refusal> {
        if let Some(response) = self.news(&wait) {
            return Ok(Outcome::Answered(Box::new(response)));
        }
        self.waits.insert(call.id, Wait::Activity(wait));
        Ok(Outcome::Waits)
    }

    /// The answer of a call, if what it waits for is there.
    fn news(&self, wait: &ActivityWait) -> Option<Response> {
        let activity = self.activities.get(wait.key)?;
        match &wait.what {
            Awaited::Change(_, seen) if *seen == activity.transitions => None,
            Awaited::Change(request, _) => {
                let seen = Seen { run_id: activity.run_id.clone(), transitions: activity.transitions };
                Some(activity.description(request, self.now, seen.encode_to_vec().into()).into())
            }
            Awaited::Outcome if activity.is_open() => None,
            Awaited::Outcome => {
                let (run_id, outcome) = (activity.run_id.clone(), activity.outcome.clone());
                Some(api::PollActivityExecutionResponse { run_id, outcome, ..Default::default() }.into())
            }
        }
    }

    /// Answers those who have waited for what has happened.
    pub(super) fn serve_activity_waits(&mut self, key: ActivityKey) {
        for call in self.waits.of(Subject::Activity(key)) {
            let Some(Wait::Activity(wait)) = self.waits.get(call) else { continue };
            if let Some(response) = self.news(wait) {
                self.waits.remove(call);
                self.reply(call, Ok(response));
            }
        }
    }
}

fn seen(token: Bytes, run_id: &str) -> Result<u64, Refusal> {
    let seen = Seen::decode(token).map_err(|_| Refusal::invalid("invalid long poll token"))?;
    if seen.run_id != run_id {
        return Err(Refusal::invalid("long poll token does not match execution"));
    }
    Ok(seen.transitions)
}
