//! Mutexes, semaphores, channels, notifications and sets of tasks.

use std::rc::Rc;

use stead_workflow as workflow;

use crate::support::*;

workflow!(InTurn, |board, input: ()| -> Vec<String> {
    let mutex = Rc::new(workflow::Mutex::new(Vec::new()));
    let tasks: Vec<_> = ["a", "b", "c"]
        .map(|name| {
            let mutex = Rc::clone(&mutex);
            workflow::spawn(async move {
                let mut log = mutex.lock().await?;
                workflow::sleep(SECOND).await?;
                log.push(name.to_owned());
                workflow::Result::Ok(())
            })
        })
        .into();
    for task in tasks {
        task.await?;
    }
    let log = mutex.lock().await?;
    Ok(log.clone())
});

#[test]
fn a_mutex_serves_one_after_the_other_in_the_order_in_which_they_asked() {
    let (mut run, commands) = Driver::start::<InTurn>(());
    assert_eq!(outline(&commands), ["start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["start timer 2 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), ["start timer 3 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(3)])), [r#"complete workflow: ["a","b","c"]"#]);
}

workflow!(Limited, |board, input: usize| -> u32 {
    let limit = Rc::new(workflow::Semaphore::new(input));
    let mut calls = workflow::JoinSet::new();
    for _ in 0..4 {
        let limit = Rc::clone(&limit);
        calls.spawn(async move {
            let _permit = limit.acquire().await?;
            workflow::Result::Ok(charge("x").await?)
        });
    }
    let mut sum = 0;
    while let Some(result) = calls.join_next().await? {
        sum += result?;
    }
    assert_eq!(limit.available(), input);
    Ok(sum)
});

#[test]
fn a_semaphore_bounds_what_runs_at_the_same_time() {
    let (mut run, commands) = Driver::start::<Limited>(2);
    assert_eq!(commands.len(), 2);
    assert_eq!(outline(&run.activate(vec![completed(2, 1)])), ["schedule charge 3"]);
    assert_eq!(outline(&run.activate(vec![completed(1, 2), completed(3, 4)])), ["schedule charge 4"]);
    assert_eq!(outline(&run.activate(vec![completed(4, 8)])), ["complete workflow: 15"]);
}

#[test]
fn waiting_for_a_permit_ends_with_cancellation() {
    let (mut run, _) = Driver::start::<Limited>(0);
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel workflow"]);
}

workflow!(Impatient, |board, input: ()| -> bool {
    let limit = workflow::Semaphore::new(1);
    let permit = limit.try_acquire();
    workflow::select! {
        _ = limit.acquire() => return Ok(false),
        _ = workflow::sleep(SECOND) => {}
    }
    assert!(limit.try_acquire().is_none());
    drop(permit);
    Ok(limit.try_acquire().is_some())
});

#[test]
fn whoever_stops_waiting_leaves_the_line() {
    let (mut run, _) = Driver::start::<Impatient>(());
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: true"]);
}

workflow!(Piped, |board, input: u32| -> Vec<u32> {
    let (sender, receiver) = workflow::channel(2);
    let other = sender.clone();
    workflow::spawn(async move {
        for value in 0..input {
            sender.send(value).await?;
        }
        workflow::Result::Ok(())
    });
    workflow::spawn(async move { other.send(100).await });
    let mut values = Vec::new();
    while let Some(value) = receiver.recv().await? {
        values.push(value);
    }
    Ok(values)
});

#[test]
fn a_channel_keeps_the_order_and_closes_with_its_last_sender() {
    let (_, commands) = Driver::start::<Piped>(5);
    assert_eq!(outline(&commands), ["complete workflow: [0,1,2,100,3,4]"]);
}

workflow!(Unheard, |board, input: ()| -> String {
    let (sender, receiver) = workflow::channel(1);
    assert_eq!(sender.try_send(1), Ok(()));
    assert_eq!(sender.try_send(2), Err(2));
    assert_eq!(receiver.try_recv(), Some(1));
    drop(receiver);
    Ok(sender.send(3).await.unwrap_err().to_string())
});

#[test]
fn sending_to_nobody_is_an_error() {
    let (_, commands) = Driver::start::<Unheard>(());
    assert_eq!(outline(&commands), [r#"complete workflow: "the receiver of the channel is gone""#]);
}

workflow!(Told, |board, input: bool| -> u32 {
    let notify = Rc::new(workflow::Notify::new());
    let mut waiting = workflow::JoinSet::new();
    for number in 1..=3u32 {
        let notify = Rc::clone(&notify);
        waiting.spawn(async move { notify.notified().await.map(|()| number) });
    }
    workflow::sleep(SECOND).await?;
    if input {
        notify.notify_all();
    } else {
        notify.notify_one();
    }
    workflow::sleep(SECOND).await?;
    waiting.abort_all();
    let mut sum = 0;
    while let Some(number) = waiting.join_next().await? {
        sum += number?;
    }
    Ok(sum)
});

#[test]
fn a_notification_wakes_the_first_or_all() {
    for (all, expected) in [(false, 1), (true, 6)] {
        let (mut run, _) = Driver::start::<Told>(all);
        run.activate(vec![fire(1)]);
        assert_eq!(outline(&run.activate(vec![fire(2)])), [format!("complete workflow: {expected}")]);
    }
}

workflow!(Kept, |board, input: ()| -> () {
    let notify = workflow::Notify::new();
    notify.notify_all();
    notify.notify_one();
    notify.notify_one();
    notify.notified().await?;
    notify.notified().await?;
    Ok(())
});

#[test]
fn one_notification_is_kept_and_no_more() {
    let (mut run, commands) = Driver::start::<Kept>(());
    assert_eq!(outline(&commands), [""; 0], "the second wait goes on");
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel workflow"]);
}

workflow!(Aborted, |board, input: bool| -> usize {
    let mut calls = workflow::JoinSet::new();
    calls.spawn(async { charge("a").await.unwrap_or(0) });
    calls.spawn(async { charge("b").await.unwrap_or(0) });
    workflow::sleep(SECOND).await?;
    if input {
        drop(calls);
        workflow::sleep(SECOND).await?;
        return Ok(0);
    }
    calls.abort_all();
    Ok(calls.len())
});

#[test]
fn ending_a_set_cancels_what_its_tasks_wait_for() {
    let (mut run, _) = Driver::start::<Aborted>(true);
    let commands = run.activate(vec![fire(1)]);
    assert_eq!(outline(&commands), ["cancel activity 1", "cancel activity 2", "start timer 2 1s"]);
    let (mut run, _) = Driver::start::<Aborted>(false);
    run.activate(vec![completed(2, 7)]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: 1"], "a result that came stays");
}

workflow!(AsTheyCome, |board, input: ()| -> Vec<u32> {
    let mut calls = workflow::as_completed([charge("a"), charge("b"), charge("c")]);
    let mut results = Vec::new();
    while let Some(result) = calls.next().await {
        results.push(result?);
    }
    Ok(results)
});

#[test]
fn results_come_as_they_are_ready() {
    let (mut run, commands) = Driver::start::<AsTheyCome>(());
    assert_eq!(commands.len(), 3);
    run.activate(vec![completed(3, 3)]);
    assert_eq!(outline(&run.activate(vec![completed(2, 2), completed(1, 1)])), ["complete workflow: [3,1,2]"]);
}
