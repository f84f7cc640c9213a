//! Code that wraps every activity of a worker, and what activities say.

use std::fmt;
use std::sync::Arc;

use stead_data::current::CarryOver;
use stead_data::{BoxFuture, Payload};

use crate::{HeartbeatSink, Info, Input, Result};

/// Wraps the activities of a worker, for tracing, authorization or the like. What it costs when there is none: nothing.
///
/// It runs as part of the attempt, so [`info`](crate::info()) and the other functions of this crate work in it. The one
/// that was given first is the outermost: it is called first with an attempt, and last with what the attempt says.
///
/// ```
/// use stead_activity::{Input, Interceptor, Next, Result};
/// use stead_data::{BoxFuture, Payload};
///
/// struct OnlyWithHeader(&'static str);
///
/// impl Interceptor for OnlyWithHeader {
///     fn execute<'a>(&'a self, input: Input, next: Next) -> BoxFuture<'a, Result<Payload>> {
///         Box::pin(async move {
///             if !input.headers.contains_key(self.0) {
///                 return Err(stead_activity::Error::from("a header is missing").non_retryable());
///             }
///             next.run(input).await
///         })
///     }
/// }
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// Runs an attempt: by default, what comes next.
    fn execute<'a>(&'a self, input: Input, next: Next) -> BoxFuture<'a, Result<Payload>> {
        Box::pin(next.run(input))
    }

    /// An attempt is about to start: what [`info`](crate::info()) will say of it, which may be changed. What the server is
    /// told of the attempt does not change with it.
    fn info(&self, info: &mut Info) {
        let _ = info;
    }

    /// The code of a blocking activity is about to leave for a thread of its own. What is returned is called on that thread
    /// before the code, and what that gives is dropped after it: so does a context go along that belongs to the thread on
    /// which this is called, which is inside of [`execute`](Self::execute). Default: nothing goes along.
    fn carry_over(&self) -> Option<CarryOver> {
        None
    }

    /// The attempt heartbeats, with these details. They go on to the server by `next`, or do not.
    fn heartbeat(&self, details: Vec<Payload>, next: &dyn HeartbeatSink) {
        next.heartbeat(details);
    }
}

/// The heartbeats of an attempt on their way through interceptors, the last of which is called first. For workers.
pub struct InterceptedHeartbeats {
    interceptors: Arc<[Arc<dyn Interceptor>]>,
    sink: Arc<dyn HeartbeatSink>,
}

impl InterceptedHeartbeats {
    /// What comes to `sink` passes `interceptors` first. Without any, it is `sink`.
    pub fn around(interceptors: &Arc<[Arc<dyn Interceptor>]>, sink: Arc<dyn HeartbeatSink>) -> Arc<dyn HeartbeatSink> {
        if interceptors.is_empty() {
            return sink;
        }
        Arc::new(Self { interceptors: Arc::clone(interceptors), sink })
    }
}

impl HeartbeatSink for InterceptedHeartbeats {
    fn heartbeat(&self, details: Vec<Payload>) {
        Outward { rest: &self.interceptors, sink: &*self.sink }.heartbeat(details);
    }
}

/// The rest of the way outward.
struct Outward<'a> {
    rest: &'a [Arc<dyn Interceptor>],
    sink: &'a dyn HeartbeatSink,
}

impl HeartbeatSink for Outward<'_> {
    fn heartbeat(&self, details: Vec<Payload>) {
        match self.rest {
            [] => self.sink.heartbeat(details),
            [rest @ .., interceptor] => interceptor.heartbeat(details, &Outward { rest, sink: self.sink }),
        }
    }
}

/// What runs inside of an interceptor: the next one, or the activity.
pub struct Next {
    interceptors: Arc<[Arc<dyn Interceptor>]>,
    position: usize,
    activity: Box<dyn FnOnce(Input) -> BoxFuture<'static, Result<Payload>> + Send>,
}

impl Next {
    /// A chain, the first of `interceptors` outermost, around `activity`. For workers.
    pub fn new(
        interceptors: Arc<[Arc<dyn Interceptor>]>,
        activity: impl FnOnce(Input) -> BoxFuture<'static, Result<Payload>> + Send + 'static,
    ) -> Self {
        Self { interceptors, position: 0, activity: Box::new(activity) }
    }

    /// Runs it.
    pub async fn run(mut self, input: Input) -> Result<Payload> {
        match self.interceptors.get(self.position).cloned() {
            Some(interceptor) => {
                self.position += 1;
                interceptor.execute(input, self).await
            }
            None => (self.activity)(input).await,
        }
    }
}

impl fmt::Debug for InterceptedHeartbeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterceptedHeartbeats").field("interceptors", &self.interceptors.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("interceptors_left", &(self.interceptors.len() - self.position)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use stead_data::DataConverter;

    use super::*;
    use crate::Error;

    struct Adds(u32);

    impl Interceptor for Adds {
        fn execute<'a>(&'a self, input: Input, next: Next) -> BoxFuture<'a, Result<Payload>> {
            Box::pin(async move {
                let converter = input.converter.clone();
                let result: u32 = converter.from_payload(&next.run(input).await?)?;
                Ok(converter.to_payload(&(result * 10 + self.0))?)
            })
        }
    }

    struct Passes;

    impl Interceptor for Passes {}

    impl HeartbeatSink for Mutex<Vec<usize>> {
        fn heartbeat(&self, details: Vec<Payload>) {
            self.lock().expect("no panic while locked").push(details.len());
        }
    }

    struct AtMost(usize);

    impl Interceptor for AtMost {
        fn heartbeat(&self, mut details: Vec<Payload>, next: &dyn HeartbeatSink) {
            details.truncate(self.0);
            if self.0 > 0 {
                next.heartbeat(details);
            }
        }
    }

    struct Doubles;

    impl Interceptor for Doubles {
        fn heartbeat(&self, details: Vec<Payload>, next: &dyn HeartbeatSink) {
            next.heartbeat([details.clone(), details].concat());
        }
    }

    #[test]
    fn the_outermost_interceptor_has_the_last_word_on_a_heartbeat_and_may_swallow_it() {
        let sent = |interceptors: Vec<Arc<dyn Interceptor>>| {
            let sink = Arc::new(Mutex::<Vec<usize>>::default());
            let outward =
                InterceptedHeartbeats::around(&interceptors.into(), Arc::clone(&sink) as Arc<dyn HeartbeatSink>);
            outward.heartbeat(vec![Payload::default(); 3]);
            sink.lock().expect("no panic while locked").clone()
        };
        assert_eq!(sent(Vec::new()), [3]);
        assert_eq!(sent(vec![Arc::new(AtMost(2)), Arc::new(Doubles)]), [2]);
        assert_eq!(sent(vec![Arc::new(Doubles), Arc::new(AtMost(2))]), [4]);
        assert!(sent(vec![Arc::new(Doubles), Arc::new(AtMost(0))]).is_empty());
    }

    async fn run(interceptors: Vec<Arc<dyn Interceptor>>) -> u32 {
        let converter = DataConverter::new();
        let next = Next::new(interceptors.into(), |input| Box::pin(async move { input.encode(&1) }));
        let result = next.run(Input::new(Vec::new(), converter.clone())).await.expect("it succeeds");
        converter.from_payload(&result).expect("a number")
    }

    #[tokio::test]
    async fn the_first_interceptor_is_the_outermost() {
        assert_eq!(run(Vec::new()).await, 1);
        assert_eq!(run(vec![Arc::new(Adds(3)), Arc::new(Passes), Arc::new(Adds(2))]).await, 123);
    }

    #[tokio::test]
    async fn an_error_passes_through_all_of_them() {
        let next = Next::new(vec![Arc::new(Adds(3)) as Arc<dyn Interceptor>].into(), |_| {
            Box::pin(async { Err(Error::from("no")) })
        });
        let error = next.run(Input::new(Vec::new(), DataConverter::new())).await.expect_err("it fails");
        assert_eq!(error.to_string(), "no");
    }
}
