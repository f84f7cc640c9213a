//! A codec between all values and the server.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stead::DataConverter;
use stead::data::{BoxFuture, CodecError, Payload, PayloadCodec, SerializationContext};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

/// All that users write in these tests, and that the server must not read.
mod hush {
    pub const WORDS: [&str; 15] = [
        ARGUMENT, MEMO, SUMMARY, COPY, COPIED, BURN, BURNT, UPDATE, UPDATED, SIGNAL, NEXT, NEXT_MEMO, LOST, LAST,
        RESULT,
    ];
    pub const ARGUMENT: &str = "hush: the argument";
    pub const MEMO: &str = "hush: the memo";
    pub const SUMMARY: &str = "hush: the summary";
    pub const COPY: &str = "hush: what to copy";
    pub const COPIED: &str = "hush: the copy";
    pub const BURN: &str = "hush: what to burn";
    pub const BURNT: &str = "hush: why it could not";
    pub const UPDATE: &str = "hush: the update";
    pub const UPDATED: &str = "hush: its result";
    pub const SIGNAL: &str = "hush: the signal";
    pub const NEXT: &str = "hush: the next run's argument";
    pub const NEXT_MEMO: &str = "hush: the next run's memo";
    pub const LOST: &str = "hush: why it failed";
    pub const LAST: &str = "hush: the last run's argument";
    pub const RESULT: &str = "hush: the last run's result";
    /// Of a query, which leaves no trace in a history.
    pub const ASKED: &str = "hush: the question";
    /// Of an update that was rejected: the same.
    pub const REJECTED: &str = "hush: not this";
    /// Of an activity that was completed later: the same.
    pub const HEARTBEAT: &str = "hush: how far it came";
}

/// Messages of errors are for everybody; what they carry goes through the codec.
#[derive(Debug, thiserror::Error, PartialEq, Serialize, Deserialize, IntoFailure)]
enum DiaryError {
    #[error("no page for it")]
    #[failure(non_retryable)]
    NoPage { why: String },
}

fn no_page(why: &str) -> DiaryError {
    DiaryError::NoPage { why: why.to_owned() }
}

struct Scribe;

#[activities]
impl Scribe {
    /// Fails once after a heartbeat, and then goes on from there.
    #[activity]
    async fn copy(&self, text: String) -> activity::Result<String> {
        assert_eq!(text, hush::COPY);
        match activity::heartbeat_details::<String>()? {
            Some(details) if details == hush::HEARTBEAT => Ok(hush::COPIED.to_owned()),
            Some(other) => Ok(other),
            None => {
                activity::heartbeat(hush::HEARTBEAT);
                Err("out of ink".into())
            }
        }
    }

    #[activity(errors(DiaryError))]
    async fn burn(&self, text: String) -> activity::Result<()> {
        assert_eq!(text, hush::BURN);
        Err(no_page(hush::BURNT).into())
    }
}

#[derive(Default)]
struct Diary {
    entries: State<Vec<String>>,
    closed: Cell<bool>,
}

#[workflow]
impl Diary {
    #[run]
    async fn run(&self, entry: String, pages: u32) -> workflow::Result<String> {
        self.entries.update(|entries| entries.push(entry));
        match pages {
            0 => Ok(hush::RESULT.to_owned()),
            1 => {
                assert_eq!(workflow::memo::<String>("mood")?.as_deref(), Some(hush::NEXT_MEMO));
                Err(no_page(hush::LOST).into())
            }
            _ => {
                self.keep().await?;
                let next = (hush::NEXT.to_owned(), pages - 1);
                workflow::continue_as_new(Self::run, next).memo("mood", hush::NEXT_MEMO).exit()
            }
        }
    }

    async fn keep(&self) -> workflow::Result<()> {
        let again = RetryPolicy::default().initial_interval(millis(1));
        let copying =
            workflow::activity(Scribe::copy, hush::COPY).start_to_close(secs(5)).heartbeat(secs(5)).retry(again);
        let copy = copying.await?;
        let error = workflow::activity(Scribe::burn, hush::BURN).start_to_close(secs(5)).await.unwrap_err();
        assert_eq!(error.application(), Some(no_page(hush::BURNT)));
        self.entries.update(|entries| entries.push(copy));
        workflow::wait_until(|| self.closed.get()).await?;
        Ok(())
    }

    #[signal]
    fn close(&self, last_words: String) {
        self.entries.update(|entries| entries.push(last_words.clone()));
        self.closed.set(last_words == hush::SIGNAL);
    }

    #[query]
    fn is_about(&self, what: String) -> Vec<String> {
        let entries = self.entries.get();
        if what == hush::ASKED { entries } else { Vec::new() }
    }

    #[update(validator = is_wanted)]
    async fn amend(&self, text: String) -> Result<String, DiaryError> {
        self.entries.update(|entries| entries.push(text));
        Ok(hush::UPDATED.to_owned())
    }

    fn is_wanted(&self, text: &String) -> Result<(), DiaryError> {
        if text == hush::UPDATE { Ok(()) } else { Err(no_page(text)) }
    }
}

/// Runs through everything that carries payloads. Returns all that the server knows of it.
async fn keep_a_diary(env: &Env, max_cached_workflows: usize) -> String {
    let worker = env.worker().workflow::<Diary>().activities(Scribe).max_cached_workflows(max_cached_workflows);
    let known = worker.build().unwrap().run_while(async {
        let start = |argument: &str, pages, name| {
            let start = env.client.start_workflow(Diary::run, (argument.to_owned(), pages)).id(env.id(name));
            start.task_queue(&env.task_queue).memo("mood", hush::MEMO).static_summary(hush::SUMMARY)
        };
        let diary = start(hush::ARGUMENT, 2, "diary").await.unwrap();
        assert_eq!(diary.update(Diary::amend, hush::UPDATE).await.unwrap(), hush::UPDATED);
        let rejected = diary.update(Diary::amend, hush::REJECTED).await.unwrap_err();
        assert_eq!(rejected.application(), Some(no_page(hush::REJECTED)));
        let description = diary.describe().await.unwrap();
        assert_eq!(description.memo::<String>("mood").unwrap().as_deref(), Some(hush::MEMO));
        assert_eq!(description.static_summary().unwrap().as_deref(), Some(hush::SUMMARY));

        diary.signal(Diary::close, hush::SIGNAL).await.unwrap();
        let error = diary.result().await.unwrap_err();
        assert_eq!(error.application(), Some(no_page(hush::LOST)));
        let first = diary.with_run_id(description.run_id());
        let entries = first.query(Diary::is_about, hush::ASKED).await.unwrap();
        assert_eq!(sorted(entries), sorted([hush::ARGUMENT, hush::UPDATE, hush::COPIED, hush::SIGNAL]));

        let short = start(hush::LAST, 0, "short-diary").await.unwrap();
        assert_eq!(short.result().await.unwrap(), hush::RESULT);

        let replayer = Replayer::new().workflow::<Diary>().data_converter(env.client.data_converter().clone());
        let mut known = format!("{:?}", description.raw());
        for run in [&first, &env.client.workflow::<Diary>(diary.id()), &short] {
            replayer.replay_workflow(run).await.unwrap();
            let history = run.history().await.unwrap();
            known += &format!("{history:?}{}", history.to_json().unwrap());
        }
        known
    });
    known.await.unwrap()
}

fn sorted(texts: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut texts: Vec<_> = texts.into_iter().map(Into::into).collect();
    texts.sort();
    texts
}

/// Makes every byte another one, and keeps how it was encoded before.
struct Veil;

const ENCODING: &str = "encoding";
const BEFORE: &str = "encoding-before";
const VEILED: &[u8] = b"binary/veiled";

impl Veil {
    fn turn(mut payload: Payload) -> Payload {
        payload.data = payload.data.iter().map(|byte| byte ^ 0x5a).collect();
        payload
    }

    fn veil(payload: Payload) -> Payload {
        let mut payload = Self::turn(payload);
        let before = payload.metadata.insert(ENCODING.to_owned(), VEILED.into()).unwrap_or_default();
        payload.metadata.insert(BEFORE.to_owned(), before);
        payload
    }

    fn unveil(payload: Payload) -> Result<Payload, CodecError> {
        if payload.metadata.get(ENCODING).is_none_or(|encoding| encoding != VEILED) {
            return Ok(payload);
        }
        let mut payload = Self::turn(payload);
        let before = payload.metadata.remove(BEFORE).ok_or_else(|| CodecError::new("no encoding before"))?;
        payload.metadata.insert(ENCODING.to_owned(), before);
        Ok(payload)
    }
}

impl PayloadCodec for Veil {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Ok(payloads.into_iter().map(Self::veil).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { payloads.into_iter().map(Self::unveil).collect() })
    }
}

async fn veiled() -> Env {
    let env = Env::new().await;
    let converter = DataConverter::new().with_codec(Arc::new(Veil));
    Env { client: env.client.with_data_converter(converter), ..env }
}

fn read_in(known: &str) -> Vec<&'static str> {
    hush::WORDS.into_iter().filter(|word| known.contains(word)).collect()
}

#[tokio::test]
async fn with_a_codec_the_server_can_read_nothing() {
    for max_cached_workflows in [100, 0] {
        let known = keep_a_diary(&veiled().await, max_cached_workflows).await;
        assert_eq!(read_in(&known), [""; 0]);
        assert!(!known.contains("hush"), "a word that is not listed");
    }
}

/// What the other test does not find is there to be found.
#[tokio::test]
async fn without_a_codec_the_server_can_read_everything() {
    let known = keep_a_diary(&Env::new().await, 100).await;
    assert_eq!(read_in(&known), hush::WORDS);
}
