use std::rc::Rc;

use stead_workflow as workflow;

use crate::support::*;

workflow!(Spawns, |board, input: ()| -> Vec<String> {
    let handles: Vec<_> = ["a", "b"]
        .into_iter()
        .map(|name| {
            let board = Rc::clone(&board);
            workflow::spawn(async move {
                board.note(format!("{name} begins"));
                workflow::sleep(SECOND).await?;
                board.note(format!("{name} ends"));
                Ok::<_, workflow::Error>(name)
            })
        })
        .collect();
    board.note("spawned");
    for handle in handles {
        let finished = handle.is_finished();
        let name = handle.await?;
        board.note(format!("joined {name} {finished}"));
    }
    Ok(board.log.get())
});

#[test]
fn spawned_tasks_take_their_turns_in_the_order_of_their_birth() {
    let (mut run, commands) = Driver::start::<Spawns>(());
    assert_eq!(outline(&commands), ["start timer 1 1s", "start timer 2 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), [""; 0]);
    let commands = run.activate(vec![fire(1)]);
    let log = r#"["spawned","a begins","b begins","b ends","a ends","joined a false","joined b true"]"#;
    assert_eq!(outline(&commands), [format!("complete workflow: {log}")]);
}

workflow!(Nested, |board, input: ()| -> u32 {
    let outer = workflow::spawn(async { workflow::spawn(async { 5 }).await + 1 });
    Ok(outer.await)
});

#[test]
fn a_task_may_spawn_tasks() {
    let (_, commands) = Driver::start::<Nested>(());
    assert_eq!(outline(&commands), ["complete workflow: 6"]);
}

workflow!(Detached, |board, input: ()| -> bool {
    let task = Rc::clone(&board);
    drop(workflow::spawn(async move {
        let _ = workflow::sleep(SECOND).await;
        task.flag.set(true);
    }));
    workflow::wait_until(|| board.flag.get()).await?;
    Ok(true)
});

#[test]
fn dropping_the_handle_of_a_task_leaves_it_running() {
    let (mut run, _) = Driver::start::<Detached>(());
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: true"]);
}

workflow!(Boom, |board, input: ()| -> () { workflow::spawn(async { panic!("in a task") }).await });

#[test]
fn a_panic_of_a_spawned_task_fails_the_workflow_task() {
    let (_, message) = task_failure(Driver::new::<Boom>().try_activate(vec![initialize(&())]));
    assert!(message.ends_with("in a task"), "{message}");
}
