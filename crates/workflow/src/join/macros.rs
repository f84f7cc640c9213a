//! `join!` and `select!`.
//!
//! Both pin their futures on the stack of the caller's future and poll them in the order in which they are written, so
//! they are deterministic. Each step of the recursion makes up one more `future` and one more `output`; hygiene keeps
//! them apart although they are spelled alike.

/// Waits for all of the futures and returns a tuple of what they gave.
///
/// Takes anything that is awaited: futures, and calls such as that of [`activity`](crate::activity). They are polled in
/// the order in which they are written.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<()> {
///     let (a, b) = workflow::join!(
///         workflow::sleep(Duration::from_secs(1)),
///         workflow::sleep(Duration::from_secs(2)),
///     );
///     a?;
///     Ok(b?)
/// }
/// ```
#[macro_export]
macro_rules! join {
    (@collect ($(($future:ident $output:ident $value:expr))*)) => {{
        $(
            let mut $future = ::core::pin::pin!(::core::future::IntoFuture::into_future($value));
            let mut $output = ::core::option::Option::None;
        )*
        ::core::future::poll_fn(|cx| {
            let mut is_pending = false;
            $(
                if $output.is_none() {
                    match ::core::future::Future::poll($future.as_mut(), cx) {
                        ::core::task::Poll::Ready(value) => $output = ::core::option::Option::Some(value),
                        ::core::task::Poll::Pending => is_pending = true,
                    }
                }
            )*
            if is_pending {
                return ::core::task::Poll::Pending;
            }
            match ($($output.take(),)*) {
                ($(::core::option::Option::Some($output),)*) => ::core::task::Poll::Ready(($($output,)*)),
                #[allow(unreachable_patterns)]
                _ => ::core::unreachable!("none of the futures is pending"),
            }
        })
        .await
    }};
    (@collect ($($collected:tt)*) $value:expr $(, $($rest:tt)*)?) => {
        $crate::join!(@collect ($($collected)* (future output $value)) $($($rest)*)?)
    };
    ($($future:tt)*) => {
        $crate::join!(@collect () $($future)*)
    };
}

/// Waits for the first of the futures, drops the others, and goes on with the body of the one that came first.
///
/// Takes anything that is awaited. The futures are polled in the order in which they are written, and if several are
/// ready the first one wins, which is what makes it deterministic. A loser is dropped before the body runs, and dropping
/// cancels it; a future that shall live on is passed as `&mut future`.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run(work: impl Future<Output = u32>) -> workflow::Result<u32> {
///     workflow::select! {
///         value = work => Ok(value),
///         _ = workflow::sleep(Duration::from_secs(300)) => {
///             Ok(0)
///         }
///     }
/// }
/// ```
#[macro_export]
macro_rules! select {
    (@collect ($(($future:ident $output:ident $pattern:pat, $value:expr, $body:expr))+)) => {{
        $(let mut $output = ::core::option::Option::None;)+
        {
            $(let mut $future = ::core::pin::pin!(::core::future::IntoFuture::into_future($value));)+
            ::core::future::poll_fn(|cx| {
                $(
                    if let ::core::task::Poll::Ready(value) = ::core::future::Future::poll($future.as_mut(), cx) {
                        $output = ::core::option::Option::Some(value);
                        return ::core::task::Poll::Ready(());
                    }
                )+
                ::core::task::Poll::Pending
            })
            .await
        }
        $(
            if let ::core::option::Option::Some(value) = $output {
                let $pattern = value;
                $body
            } else
        )+ {
            ::core::unreachable!("one of the futures was ready")
        }
    }};
    (@collect ($($collected:tt)*) $pattern:pat = $value:expr => $body:block , $($rest:tt)*) => {
        $crate::select!(@collect ($($collected)* (future output $pattern, $value, $body)) $($rest)*)
    };
    (@collect ($($collected:tt)*) $pattern:pat = $value:expr => $body:block $($rest:tt)*) => {
        $crate::select!(@collect ($($collected)* (future output $pattern, $value, $body)) $($rest)*)
    };
    (@collect ($($collected:tt)*) $pattern:pat = $value:expr => $body:expr $(, $($rest:tt)*)?) => {
        $crate::select!(@collect ($($collected)* (future output $pattern, $value, $body)) $($($rest)*)?)
    };
    ($($branch:tt)+) => {
        $crate::select!(@collect () $($branch)+)
    };
}

/// Runs code that the determinism lints of `#[workflow]` would refuse. What it gives must not change what the workflow
/// does: it is for logs and measurements.
///
/// ```
/// let started = stead_workflow::nondeterministic!(std::time::Instant::now());
/// # let _ = started;
/// ```
#[macro_export]
macro_rules! nondeterministic {
    ($($code:tt)*) => {{ $($code)* }};
}
