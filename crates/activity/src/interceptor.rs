//! Code that wraps every activity of a worker.

use std::fmt;
use std::sync::Arc;

use stead_data::{BoxFuture, Payload};

use crate::{Input, Result};

/// Wraps the activities of a worker, for tracing, authorization or the like. What it costs when there is none: nothing.
///
/// It runs as part of the attempt, so [`info`](crate::info) and the other functions of this crate work in it.
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

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("interceptors_left", &(self.interceptors.len() - self.position)).finish()
    }
}

#[cfg(test)]
mod tests {
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
