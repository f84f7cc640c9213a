//! Running something within plugins.
//!
//! A plugin's future is boxed and can be sent; what runs within it need not be. So it is not what the plugins hold: they
//! hold a future that gives the sign to begin and waits for the end.

use std::sync::Arc;
use std::time::Duration;

use stead_data::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::WorkerPlugin;

/// Runs `run` within the plugins, the first of which is the outermost. If one of them ended without
/// beginning it, it comes back. `stop` is called if one of them ends before it; `run` goes on then until it is done.
pub(crate) async fn around<F: Future>(
    plugins: &[Arc<dyn WorkerPlugin>],
    wind_down: Duration,
    stop: impl FnOnce(),
    run: F,
) -> Result<F::Output, F> {
    if plugins.is_empty() {
        return Ok(run.await);
    }
    let (begin, begun) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let innermost: BoxFuture<'_, ()> = Box::pin(async move {
        let _ = begin.send(());
        let _ = ended.await;
    });
    let mut around = plugins.iter().rev().fold(innermost, |inner, plugin| plugin.around_run(inner));
    tokio::select! {
        biased;
        () = &mut around => return Err(run),
        begun = begun => if begun.is_err() {
            // Nobody will give the sign any more.
            around.await;
            return Err(run);
        },
    }
    let mut run = std::pin::pin!(run);
    let output = tokio::select! {
        biased;
        () = &mut around => {
            stop();
            return Ok(run.await);
        }
        output = &mut run => output,
    };
    let _ = end.send(());
    if timeout(wind_down, around).await.is_err() {
        let names: Vec<_> = plugins.iter().map(|plugin| plugin.name()).collect();
        tracing::warn!(target: "stead::worker", plugins = ?names, "plugins do not end after the run; they are dropped");
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl Notes {
        fn add(&self, note: impl Into<String>) {
            self.0.lock().unwrap().push(note.into());
        }

        fn all(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    /// What a plugin does around the run.
    #[derive(Clone, Copy)]
    enum Does {
        Waits,
        DropsIt,
        NeverRunsIt,
        NeverEnds,
    }

    struct Named(&'static str, Does, Notes);

    impl WorkerPlugin for Named {
        fn around_run<'a>(&'a self, run: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
            let Self(name, does, notes) = self;
            Box::pin(async move {
                notes.add(format!("{name} begins"));
                match does {
                    Does::Waits => run.await,
                    Does::DropsIt => drop(timeout(Duration::from_secs(1), run).await),
                    Does::NeverRunsIt => drop(run),
                    Does::NeverEnds => {
                        run.await;
                        std::future::pending::<()>().await;
                    }
                }
                notes.add(format!("{name} ends"));
            })
        }
    }

    async fn run(plugins: &[(&'static str, Does)]) -> (Option<u8>, Vec<String>) {
        let notes = Notes::default();
        let plugin = |&(name, does)| Arc::new(Named(name, does, notes.clone())) as Arc<dyn WorkerPlugin>;
        let plugins: Vec<_> = plugins.iter().map(plugin).collect();
        let (stop, stopped) = oneshot::channel();
        let stop = || {
            notes.add("stop");
            let _ = stop.send(());
        };
        let running = async {
            notes.add("runs");
            // Until it is told to, or is done.
            let _ = timeout(Duration::from_secs(5), stopped).await;
            7
        };
        let output = around(&plugins, Duration::from_secs(60), stop, running).await;
        (output.ok(), notes.all())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_plugin_is_the_outermost_around_the_run() {
        let (output, notes) = run(&[("a", Does::Waits), ("b", Does::Waits)]).await;
        assert_eq!(output, Some(7));
        assert_eq!(notes, ["a begins", "b begins", "runs", "b ends", "a ends"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_plugin_that_ends_early_stops_the_run_and_one_that_does_not_begin_it_prevents_it() {
        let (output, notes) = run(&[("a", Does::DropsIt)]).await;
        assert_eq!((output, notes), (Some(7), vec!["a begins".into(), "runs".into(), "a ends".into(), "stop".into()]));
        let (output, notes) = run(&[("a", Does::Waits), ("b", Does::NeverRunsIt)]).await;
        assert_eq!(output, None);
        assert_eq!(notes, ["a begins", "b begins", "b ends", "a ends"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_plugin_that_does_not_end_after_the_run_is_dropped_after_its_time() {
        let began = tokio::time::Instant::now();
        let (output, notes) = run(&[("a", Does::NeverEnds)]).await;
        assert_eq!((output, notes), (Some(7), vec!["a begins".into(), "runs".into()]));
        assert_eq!(began.elapsed(), Duration::from_secs(65));
    }
}
