//! Random programs over all operations, each from its seed: whatever they do, and whatever happens to them while they do
//! it, their histories replay, whole and from the start of each task.

mod machine;
mod program;

use fastrand::Rng;
use stead::client::{Code, ResultError, StartError};
use stead::data::history::History;
use stead::prelude::*;
use stead::testing::{Replayer, Report, Simulation, SimulationError};
use stead::workflow::FailOn;
use stead_tests::{Env, create_nexus_endpoint, event_types};

use machine::{Desk, Machine, Tools, endpoint};
use program::{Program, random_program};

/// What somebody does to a program from outside.
#[derive(Debug)]
enum Intrusion {
    Bump,
    Act(Program),
    Perform(Program),
    Look,
    Cancel,
}

fn intrusions(rng: &mut Rng, scale: u64) -> Vec<(std::time::Duration, Intrusion)> {
    let one = |rng: &mut Rng| match rng.u8(..40) {
        0..16 => Intrusion::Bump,
        16..20 => Intrusion::Act(random_program(rng, 1, scale)),
        20..31 => Intrusion::Perform(random_program(rng, 1, scale)),
        31..38 => Intrusion::Look,
        _ => Intrusion::Cancel,
    };
    (0..rng.usize(..8)).map(|_| (millis(rng.u64(..40 * scale)), one(rng))).collect()
}

/// Does to the run what `intrusions` say, and waits for its end. What a caller may be told is no error: that an update
/// was refused, or that the run has ended.
async fn drive(run: &WorkflowHandle<Machine>, intrusions: Vec<(std::time::Duration, Intrusion)>) -> Result<(), String> {
    for (after, intrusion) in intrusions {
        tokio::time::sleep(after).await;
        match intrusion {
            Intrusion::Bump => drop(run.signal(Machine::bump, 1).await),
            Intrusion::Act(program) => drop(run.signal(Machine::act, program).await),
            Intrusion::Perform(program) => told(run.update(Machine::perform, program).await)?,
            Intrusion::Look => told(run.query(Machine::sum, ()).await)?,
            Intrusion::Cancel => drop(run.cancel().await),
        }
    }
    match run.result().await {
        Ok(_) => Ok(()),
        Err(ResultError::Failed { failure, .. }) => defect(&failure.message),
        Err(error) if error.is_cancelled() => Ok(()),
        Err(error) => Err(format!("the run ended with {error}")),
    }
}

fn told<T>(answer: Result<T, impl std::fmt::Display>) -> Result<(), String> {
    answer.map_or_else(|error| defect(&error.to_string()), |_| Ok(()))
}

/// Whether the message tells of a defect in the SDK, as programs have none of their own.
fn defect(message: &str) -> Result<(), String> {
    match ["panicked", "TMPRL", "woken from outside", "determinism"].iter().find(|it| message.contains(**it)) {
        Some(_) => Err(message.to_owned()),
        None => Ok(()),
    }
}

/// Replays the history, whole and cut where each of its tasks begins.
fn replay(history: &History) -> Result<(), String> {
    let violations = stead::testing::violations(history);
    if !violations.is_empty() {
        return Err(format!("the history cannot be: {violations:#?}"));
    }
    let types = event_types(history);
    let replayer = Replayer::new().workflow::<Machine>();
    let starts = (0..types.len()).filter(|&index| types[index] == "WORKFLOW_TASK_STARTED");
    for length in starts.map(|index| index + 1).chain([types.len()]) {
        let mut begin = history.clone();
        begin.0.events.truncate(length);
        replayer.replay(begin).map_err(|error| format!("the first {length} events of {types:?}: {error}"))?;
    }
    Ok(())
}

/// Replays every workflow that the client's server has of them: programs start others.
async fn replay_all(client: &Client, query: &str) -> Result<usize, String> {
    let mut listed = client.list_workflows(query);
    let mut replayed = 0;
    while let Some(execution) = listed.next().await {
        let execution = execution.map_err(|error| error.to_string())?;
        let history = execution.handle::<Machine>().history().await.map_err(|error| error.to_string())?;
        replay(&history).map_err(|error| format!("{}: {error}", execution.id()))?;
        replayed += 1;
    }
    Ok(replayed)
}

/// In bad luck, which takes runs out of their workers' memory too.
fn simulate(simulation: Simulation, seed: u64) -> Result<Report, SimulationError> {
    const SCALE: u64 = 200;
    let mut rng = Rng::with_seed(seed);
    let cached = [0, 1, 3, 1_000][rng.usize(..4)];
    let worker = move |worker: stead::testing::TestWorkerBuilder| {
        let worker = worker.workflow::<Machine>().activities(Tools).nexus_service(Desk);
        worker.with(|worker| worker.max_cached_workflows(cached))
    };
    simulation.worker(worker).run(async |env| -> Result<(), String> {
        let program = random_program(&mut rng, 3, SCALE);
        let intrusions = intrusions(&mut rng, SCALE);
        let shown = format!("{program:?}\nwith {intrusions:?}");
        let desk = endpoint(env.task_queue());
        match create_nexus_endpoint(env.client(), &desk, env.task_queue()).await {
            // By the same call, whose answer got lost.
            Err(error) if error.code() != Code::AlreadyExists => return Err(error.to_string()),
            _ => {}
        }
        let run = match env.start(Machine::run, (program, 0)).await {
            Ok(run) => run,
            // By the same call, whose answer got lost, before the run continued as new and forgot of it.
            Err(StartError::AlreadyStarted { .. }) => env.client().workflow("Machine-1"),
            Err(error) => return Err(error.to_string()),
        };
        let driven = drive(&run, intrusions).await;
        let replayed = replay_all(env.client(), "").await;
        driven.and(replayed.map(drop)).map_err(|error| format!("{error}\nof {shown}"))
    })
}

#[test]
fn random_programs_replay_whatever_goes_wrong() {
    // A thousand with `STEAD_SEEDS=1000`.
    Simulation::seeds(100, |simulation| {
        let seed = simulation.seed();
        simulate(simulation, seed)
    });
}

#[tokio::test]
async fn random_programs_replay_from_every_task() {
    let env = Env::new().await;
    let worker = env
        .worker()
        .fail_workflows_on(FailOn::PANICS | FailOn::NONDETERMINISM)
        .workflow::<Machine>()
        .activities(Tools)
        .nexus_service(Desk)
        .max_cached_workflows(4)
        .build()
        .unwrap();
    let work = async {
        create_nexus_endpoint(&env.client, &endpoint(&env.task_queue), &env.task_queue).await.unwrap();
        let one = async |seed| {
            let mut rng = Rng::with_seed(seed);
            let program = random_program(&mut rng, 3, 1);
            let intrusions = intrusions(&mut rng, 1);
            let shown = format!("{program:?}\nwith {intrusions:?}");
            let start = env.client.start_workflow(Machine::run, (program, 0)).id(env.id("program"));
            let run = start.task_queue(&env.task_queue).await.unwrap();
            let driving = tokio::time::timeout(secs(60), drive(&run, intrusions));
            let Ok(driven) = driving.await else {
                let stack = run.query_named::<String>("__stack_trace", ()).await;
                panic!("seed {seed} is stuck at {stack:?}\nof {shown}");
            };
            driven.unwrap_or_else(|error| panic!("seed {seed}: {error}\nof {shown}"));
            replay(&run.history().await.unwrap()).unwrap_or_else(|error| panic!("seed {seed}: {error}\nof {shown}"));
        };
        futures::future::join_all((0..30).map(one)).await;
    };
    worker.run_while(work).await.unwrap();
}
