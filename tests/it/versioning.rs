//! Workers that have a version: what is pinned to it, and what moves on.

use stead::client::proto::workflowservice::v1::SetWorkerDeploymentCurrentVersionRequest;
use stead::client::{CallOptions, WorkflowStatus};
use stead::data::WorkflowType;
use stead::prelude::*;
use stead::worker::{BuildError, WorkerDeployment};
use stead_tests::Env;
use workflow::Versioning;

macro_rules! two_steps {
    ($name:ident, $($options:tt)*) => {
        #[derive(Default)]
        struct $name(Cell<bool>);

        #[workflow($($options)*)]
        impl $name {
            #[run]
            async fn run(&self) -> workflow::Result<Vec<String>> {
                two_builds(&self.0).await
            }

            #[signal]
            fn go_on(&self) {
                self.0.set(true);
            }

            #[query]
            fn has_begun(&self) -> bool {
                true
            }
        }
    };
}

two_steps!(Stays, versioning = pinned);
two_steps!(Moves, versioning = auto_upgrade);
two_steps!(Silent, name = "Silent");

/// Says for each run how it moves.
struct Varies {
    pinned: bool,
    goes_on: Cell<bool>,
}

#[workflow(dynamic)]
impl Varies {
    #[init]
    fn new(_: &[workflow::Raw]) -> Self {
        Self { pinned: workflow::info().workflow_type() == "Pinned", goes_on: Cell::new(false) }
    }

    #[config]
    fn config(&self) -> workflow::Config {
        workflow::Config::new().versioning(if self.pinned { Versioning::Pinned } else { Versioning::AutoUpgrade })
    }

    #[run]
    async fn run(&self, _arguments: Vec<workflow::Raw>) -> workflow::Result<Vec<String>> {
        two_builds(&self.goes_on).await
    }

    #[signal]
    fn go_on(&self) {
        self.goes_on.set(true);
    }

    #[query]
    fn has_begun(&self) -> bool {
        true
    }
}

/// The build that began, and the one that goes on: the next at once where the run is pinned, or the first that is
/// another one. A server does not tell all that hand out its tasks of a new current version at the same time.
async fn two_builds(goes_on: &Cell<bool>) -> workflow::Result<Vec<String>> {
    let first = build_id();
    let is_pinned = ["Stays", "Pinned"].contains(&workflow::info().workflow_type());
    loop {
        workflow::wait_until(|| goes_on.take()).await?;
        let now = build_id();
        if is_pinned || now != first {
            return Ok(vec![first, now]);
        }
    }
}

fn build_id() -> String {
    workflow::deployment_version().map_or_else(|| "none".to_owned(), |version| version.build_id.clone())
}

fn worker(env: &Env, deployment: WorkerDeployment) -> stead::Worker {
    let workflows = env.worker().workflow::<Stays>().workflow::<Moves>().workflow::<Varies>();
    workflows.deployment(deployment).build().unwrap()
}

/// Makes a version current, once the server has heard of it from its worker.
async fn set_current(env: &Env, deployment: &str, build_id: &str) {
    let request = SetWorkerDeploymentCurrentVersionRequest {
        namespace: env.client.namespace().to_owned(),
        deployment_name: deployment.to_owned(),
        build_id: build_id.to_owned(),
        identity: "operator".to_owned(),
        ..Default::default()
    };
    let service = env.client.connection().workflow_service();
    for _ in 0..200 {
        match service.set_worker_deployment_current_version(request.clone(), CallOptions::new()).await {
            Ok(_) => return,
            Err(error) if ["not found", "no Worker Deployment"].iter().any(|it| error.message().contains(it)) => {
                tokio::time::sleep(millis(50)).await;
            }
            Err(error) => panic!("{build_id} cannot be made current: {error}"),
        }
    }
    panic!("{build_id} was never heard of");
}

/// Signals a run, whose tasks go to one build or the other, until it has ended.
async fn goes_on(run: &WorkflowHandle<impl WorkflowType>) -> Vec<String> {
    for _ in 0..200 {
        let described = run.describe().await.unwrap();
        if described.status() != WorkflowStatus::Running {
            return run.result_as().await.unwrap();
        }
        // It may have ended by the signal before this one.
        let _ = run.signal_named("go_on", ()).await;
        has_begun(run).await;
        tokio::time::sleep(millis(50)).await;
    }
    panic!("{} stays where it is", run.id());
}

async fn has_begun<W: WorkflowType>(run: &WorkflowHandle<W>) {
    assert!(run.query_named::<bool>("has_begun", ()).await.unwrap());
}

#[tokio::test]
async fn pinned_runs_stay_on_their_version_and_others_go_on_with_the_current_one() {
    let env = Env::new().await;
    let deployment = format!("shop-{}", env.task_queue);
    let of = |build: &str| WorkerDeployment::new(&deployment, build).default_versioning(Versioning::Pinned);
    let first = async {
        set_current(&env, &deployment, "one").await;
        let start = async |kind: &str| {
            let start = env.client.start_workflow_named(kind, ()).id(env.id(kind)).task_queue(&env.task_queue);
            let run = start.await.unwrap();
            has_begun(&run).await;
            run
        };
        let (stays, moves) = (start("Stays").await, start("Moves").await);
        let (pinned, upgraded) = (start("Pinned").await, start("Upgraded").await);
        let second = async {
            set_current(&env, &deployment, "two").await;
            for (run, builds) in [
                (&stays, ["one", "one"]),
                (&pinned, ["one", "one"]),
                (&moves, ["one", "two"]),
                (&upgraded, ["one", "two"]),
            ] {
                assert_eq!(goes_on(run).await, builds);
            }
        };
        worker(&env, of("two")).run_while(second).await.unwrap();
    };
    worker(&env, of("one")).run_while(first).await.unwrap();
}

#[tokio::test]
async fn a_worker_without_versioning_says_its_version_and_takes_everything() {
    let env = Env::new().await;
    let of = WorkerDeployment::unversioned(format!("shop-{}", env.task_queue), "one");
    let work = async {
        let start = env.client.start_workflow(Stays::run, ()).id(env.id("unversioned")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        run.signal(Stays::go_on, ()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), ["one", "one"]);
    };
    worker(&env, of).run_while(work).await.unwrap();
}

#[tokio::test]
async fn a_deployment_that_leaves_open_how_workflows_move_is_refused() {
    let env = Env::new().await;
    let build = |deployment| env.worker().workflow::<Stays>().workflow::<Silent>().deployment(deployment).build();
    let versioned = || WorkerDeployment::new("shop", "one");
    assert_eq!(build(versioned()).unwrap_err(), BuildError::NoVersioning("Silent"));
    assert!(build(versioned().default_versioning(Versioning::AutoUpgrade)).is_ok());
    let unversioned = || WorkerDeployment::unversioned("shop", "one");
    assert!(build(unversioned()).is_ok());
    for nonsense in [unversioned().default_versioning(Versioning::Pinned), WorkerDeployment::new("shop", "")] {
        let refused = build(nonsense).unwrap_err();
        assert!(matches!(refused, BuildError::InvalidOption { option: "deployment", .. }), "{refused}");
    }
}
