//! Workflows and handlers that take what nobody else takes, handlers that come and go, and what a workflow says of itself.

use serde_json::{Value, json};
use stead::client::QueryError;
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, until_history_has};

/// Takes every type.
#[derive(Default)]
struct Anything {
    log: State<Vec<String>>,
    done: Cell<bool>,
}

#[workflow(dynamic)]
impl Anything {
    #[run]
    async fn run(&self, arguments: Vec<workflow::Raw>) -> workflow::Result<(String, Vec<String>)> {
        for argument in &arguments {
            self.note(workflow::decode::<String>(argument)?);
        }
        workflow::wait_until(|| self.done.get()).await?;
        Ok((workflow::info().workflow_type().to_owned(), self.log.get()))
    }

    #[signal(dynamic)]
    async fn any_signal(&self, name: String, arguments: Vec<workflow::Raw>) -> workflow::Result<()> {
        workflow::sleep(millis(1)).await?;
        self.note(format!("{name} of {}", arguments.len()));
        Ok(())
    }

    #[signal]
    fn done(&self) {
        self.done.set(true);
    }

    #[query(dynamic)]
    fn any_query(&self, name: String, arguments: Vec<workflow::Raw>) -> workflow::Result<String> {
        let plus: u32 = arguments.first().map(workflow::decode).transpose()?.unwrap_or_default();
        Ok(format!("{name} {}", self.log.with(Vec::len) + plus as usize))
    }

    #[update(dynamic, validator = not_no)]
    fn any_update(&self, name: String, arguments: Vec<workflow::Raw>) -> workflow::Result<u32> {
        self.note(name);
        workflow::decode(&arguments[0])
    }

    fn not_no(&self, name: &str, _arguments: &[workflow::Raw]) -> Result<(), stead::Failure> {
        if name == "no" { Err(stead::Failure::application("never")) } else { Ok(()) }
    }

    fn note(&self, line: String) {
        self.log.update(|log| log.push(line));
    }
}

#[tokio::test]
async fn a_dynamic_workflow_takes_every_type_and_its_handlers_every_name() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Anything>().workflow::<Changing>().build().unwrap();
    let work = async {
        let start = env.client.start_workflow_named("Whatever", ("one", "two"));
        let any = start.id(env.id("any")).task_queue(&env.task_queue).await.unwrap();
        any.signal_named("poke", (1, 2, 3)).await.unwrap();
        until_history_has(&any, "TIMER_FIRED").await;
        assert_eq!(any.query_named::<String>("how-many", 4).await.unwrap(), "how-many 7");
        let unreadable = any.query_named::<String>("how-many", "x").await.unwrap_err();
        assert!(unreadable.to_string().contains("Failed decoding an argument"), "{unreadable}");
        assert_eq!(any.update_named::<u32>("give", 8).await.unwrap(), 8);
        let rejected = any.update_named::<u32>("no", 8).await.unwrap_err();
        assert!(format!("{rejected:?}").contains("never"), "{rejected:?}");
        any.signal_named("done", ()).await.unwrap();
        let (kind, log) = any.result_as::<(String, Vec<String>)>().await.unwrap();
        assert_eq!((kind.as_str(), log), ("Whatever", ["one", "two", "poke of 3", "give"].map(str::to_owned).into()));
        env.replays(Replayer::new().workflow::<Anything>(), &any, "dynamic-workflow").await;

        let named = env.client.execute_workflow(Changing::run, ()).id(env.id("named")).task_queue(&env.task_queue);
        assert!(named.await.unwrap().is_empty(), "a type of its own goes to its own workflow");
    };
    worker.run_while(work).await.unwrap();
}

/// Takes every activity type but one.
struct Any;

#[activities]
impl Any {
    #[activity(dynamic)]
    async fn any(&self, arguments: Vec<activity::Raw>) -> activity::Result<(String, Vec<u32>)> {
        let numbers = arguments.iter().map(activity::decode).collect::<activity::Result<_>>()?;
        Ok((activity::info().activity_type.clone(), numbers))
    }

    #[activity(name = "own")]
    fn named(&self, number: u32) -> u32 {
        number
    }
}

#[derive(Default)]
struct CallsAny;

#[workflow]
impl CallsAny {
    #[run]
    async fn run(&self) -> workflow::Result<((String, Vec<u32>), (String, Vec<u32>), u32, String)> {
        let two = workflow::activity_named("one-of-two", (3, 4)).start_to_close(secs(30)).await?;
        let none = workflow::local_activity_named("of-none", ()).start_to_close(secs(30)).await?;
        let own = workflow::activity(Any::named, 5).start_to_close(secs(30)).await?;
        let unreadable = workflow::activity_named::<u32>("unreadable", "x").start_to_close(secs(30));
        let unreadable = unreadable.retry(RetryPolicy::default().max_attempts(1)).await.unwrap_err();
        Ok((two, none, own, format!("{unreadable:?}")))
    }
}

#[tokio::test]
async fn a_dynamic_activity_takes_the_types_that_no_other_takes() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<CallsAny>().activities(Any).build().unwrap();
    let work = async {
        let start = env.client.start_workflow(CallsAny::run, ()).id(env.id("any")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        let (two, none, own, unreadable) = run.result().await.unwrap();
        assert_eq!(two, ("one-of-two".to_owned(), vec![3, 4]));
        assert_eq!(none, ("of-none".to_owned(), Vec::new()));
        assert_eq!(own, 5, "a type of its own goes to its own activity");
        assert!(unreadable.contains("Failed decoding an argument"), "{unreadable}");
        env.replays(Replayer::new().workflow::<CallsAny>(), &run, "dynamic-activities").await;
    };
    worker.run_while(work).await.unwrap();

    let second = env.worker().activities(Any).activities(AnyToo).build().unwrap_err();
    assert_eq!(second.to_string(), "More than one dynamic activity: any_too");
}

#[tokio::test]
async fn an_environment_of_single_activities_gives_a_dynamic_one_what_no_other_takes() {
    let refund = stead::data::Activity::<Any, (u32, u32), (String, Vec<u32>)>::new("refund", 2);
    let answer = stead::testing::ActivityEnv::new().run(Any, refund, (1, 2)).await.unwrap();
    assert_eq!(answer, ("refund".to_owned(), vec![1, 2]));
}

struct AnyToo;

#[activities]
impl AnyToo {
    #[activity(dynamic)]
    fn any_too(_arguments: Vec<activity::Raw>) {}
}

/// Handles what it is told to, when it is.
#[derive(Default)]
struct Changing {
    phase: Cell<u32>,
}

#[workflow]
impl Changing {
    #[run]
    async fn run(self: Rc<Self>) -> workflow::Result<Vec<String>> {
        let log = Rc::new(RefCell::new(Vec::new()));
        if workflow::info().workflow_id().starts_with("named") {
            return Ok(log.take());
        }
        workflow::wait_until(|| self.phase.get() == 1).await?;
        let heard = Rc::clone(&log);
        workflow::on_signal("say", move |word: String, times: usize| {
            heard.borrow_mut().push(word.repeat(times));
            async { Ok(()) }
        });
        let asked = Rc::clone(&log);
        workflow::on_query("heard", move || Ok(asked.borrow().len()));
        let told = Rc::clone(&log);
        workflow::on_update_validated(
            "add",
            |number: u32| match number {
                13 => Err(stead::Failure::application("unlucky").into()),
                _ => Ok(()),
            },
            move |number: u32| {
                let told = Rc::clone(&told);
                async move {
                    workflow::sleep(millis(1)).await?;
                    let update = workflow::spawn(async { workflow::current_update() }).await.expect("in an update");
                    told.borrow_mut().push(format!("{} {} {number}", update.name, update.id));
                    Ok(number + 1)
                }
            },
        );
        workflow::wait_until(|| self.phase.get() == 2).await?;
        workflow::off_signal("say");
        workflow::off_query("heard");
        workflow::off_update("add");
        workflow::wait_until(|| self.phase.get() == 3).await?;
        workflow::all_handlers_finished().await;
        assert!(workflow::current_update().is_none());
        Ok(log.take())
    }

    #[signal]
    fn phase(&self, phase: u32) {
        self.phase.set(phase);
    }

    #[query]
    fn at(&self) -> u32 {
        self.phase.get()
    }
}

#[tokio::test]
async fn handlers_come_and_go_while_a_workflow_runs() {
    for cached in [1000, 0] {
        let env = Env::new().await;
        let worker = env.worker().max_cached_workflows(cached).workflow::<Changing>().build().unwrap();
        let work = async {
            let start = env.client.start_workflow(Changing::run, ()).id(env.id("changing"));
            let changing = start.task_queue(&env.task_queue).await.unwrap();
            changing.signal_named("say", ("ha", 2)).await.unwrap();
            assert!(changing.update_named::<u32>("add", 1).await.is_err(), "there is no handler yet");
            changing.signal(Changing::phase, 1).await.unwrap();
            assert_eq!(changing.query_named::<usize>("heard", ()).await.unwrap(), 1, "what waited was heard");
            changing.signal_named("say", ("ho", 1)).await.unwrap();
            assert_eq!(changing.update_named::<u32>("add", 6).id("u-1").await.unwrap(), 7);
            let unlucky = changing.update_named::<u32>("add", 13).await.unwrap_err();
            assert!(format!("{unlucky:?}").contains("unlucky"), "{unlucky:?}");
            changing.signal(Changing::phase, 2).await.unwrap();
            let gone = changing.query_named::<usize>("heard", ()).await.unwrap_err();
            assert!(
                matches!(&gone, QueryError::Failed { message, .. } if message.contains("'heard' expected")),
                "{gone:?}"
            );
            let gone = changing.update_named::<u32>("add", 1).await.unwrap_err();
            assert!(format!("{gone:?}").contains("known updates: []"), "{gone:?}");
            changing.signal_named("say", ("never heard", 1)).await.unwrap();
            changing.signal(Changing::phase, 3).await.unwrap();
            assert_eq!(changing.result().await.unwrap(), ["haha", "ho", "add u-1 6"]);
            env.replays(Replayer::new().workflow::<Changing>(), &changing, "run-time-handlers").await;
        };
        worker.run_while(work).await.unwrap();
    }
}

#[derive(Default)]
struct Waits {
    go: Cell<bool>,
}

#[workflow]
impl Waits {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        workflow::set_current_details("packing");
        let wait = workflow::wait_until(|| self.go.get()).timeout(hours(1)); // the line of the condition
        wait.await?;
        Ok(())
    }

    /// Lets it go.
    ///
    /// At once.
    #[signal]
    fn go(&self) {
        self.go.set(true);
    }

    #[query(description = "whether it went")]
    fn went(&self) -> bool {
        self.go.get()
    }

    #[update]
    async fn pause(&self) -> workflow::Result<()> {
        workflow::sleep(mins(7)).await?; // the line of the pause
        Ok(())
    }
}

/// Where this file has `text`.
fn line_of(text: &str) -> usize {
    1 + include_str!("dynamic.rs").lines().position(|line| line.ends_with(text)).expect("this file has it")
}

#[tokio::test]
async fn a_workflow_says_where_it_waits_and_what_it_is() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Waits>().build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Waits::run, ()).id(env.id("waits"));
        let waits = start.task_queue(&env.task_queue).await.unwrap();
        let _pause = waits.update(Waits::pause, ()).start().await.unwrap();

        let (condition, pause) = (line_of("// the line of the condition"), line_of("// the line of the pause"));
        let trace: String = waits.query_named("__stack_trace", ()).await.unwrap();
        let lines: Vec<_> = trace.lines().collect();
        let [timer, limit, waiting] = &lines[..] else { panic!("{trace}") };
        // The update came with the first task, so its timer is the first, or after it, and it is not.
        let (first, second) = (format!("dynamic.rs:{condition}:"), format!("dynamic.rs:{pause}:"));
        assert!(timer.starts_with("timer 1 at ") && limit.starts_with("timer 2 at "), "{trace}");
        assert!([timer, limit].iter().any(|line| line.contains(&first)), "{trace}");
        assert!([timer, limit].iter().any(|line| line.contains(&second)), "{trace}");
        assert!(waiting.starts_with("condition at ") && waiting.contains(&first), "{trace}");

        let enhanced: Value = waits.query_named("__enhanced_stack_trace", ()).await.unwrap();
        assert_eq!(enhanced["sdk"]["name"], "stead");
        assert_eq!(enhanced["stacks"].as_array().unwrap().len(), 3);
        let location = &enhanced["stacks"][2]["locations"][0];
        assert_eq!((&location["line"], &location["functionName"]), (&json!(condition), &json!("condition")));

        let metadata: Value = waits.query_named("__temporal_workflow_metadata", ()).await.unwrap();
        assert_eq!(metadata["currentDetails"], "packing");
        let definition = &metadata["definition"];
        assert_eq!(definition["type"], "Waits");
        assert_eq!(definition["signalDefinitions"], json!([{ "name": "go", "description": "Lets it go." }]));
        assert_eq!(definition["updateDefinitions"], json!([{ "name": "pause", "description": "" }]));
        let queries: Vec<_> = definition["queryDefinitions"].as_array().unwrap().iter().map(|q| &q["name"]).collect();
        assert_eq!(queries, ["__enhanced_stack_trace", "__stack_trace", "__temporal_workflow_metadata", "went"]);
        assert_eq!(definition["queryDefinitions"][3]["description"], "whether it went");

        waits.signal(Waits::go, ()).await.unwrap();
        waits.result().await.unwrap();
        assert_eq!(waits.query_named::<String>("__stack_trace", ()).await.unwrap(), "", "it waits for nothing");
    };
    worker.run_while(work).await.unwrap();
}
