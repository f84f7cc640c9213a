use std::sync::Mutex;
use std::task::Waker;

use stead_activation::TaskFailureCause;
use stead_workflow as workflow;

use crate::support::*;

/// A future that leaves its waker where another thread, or another run, finds it.
async fn leave_waker(at: &'static Mutex<Option<Waker>>) {
    let mut is_first = true;
    std::future::poll_fn(|cx| {
        *at.lock().unwrap() = Some(cx.waker().clone());
        if std::mem::take(&mut is_first) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
}

static FROM_A_THREAD: Mutex<Option<Waker>> = Mutex::new(None);

workflow!(Threaded, |board, input: ()| -> () {
    let waiting = leave_waker(&FROM_A_THREAD);
    Ok(workflow::join!(waiting, workflow::sleep(SECOND)).1?)
});

#[test]
fn a_wake_from_a_thread_fails_the_next_task_and_says_so() {
    let (mut run, _) = Driver::start::<Threaded>(());
    let waker = FROM_A_THREAD.lock().unwrap().take().unwrap();
    std::thread::spawn(|| waker.wake()).join().unwrap();
    let (cause, message) = task_failure(run.try_activate(vec![fire(1)]));
    assert_eq!(cause, TaskFailureCause::NonDeterminism);
    assert!(message.contains("woken from outside of the workflow") && message.contains("order-1"), "{message}");
}

workflow!(Spawning, |board, input: ()| -> () {
    let mut is_first = true;
    std::future::poll_fn(|cx| {
        let waker = cx.waker().clone();
        std::thread::spawn(|| waker.wake()).join().unwrap();
        if std::mem::take(&mut is_first) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    Ok(())
});

#[test]
fn a_wake_from_a_thread_during_an_activation_fails_that_one() {
    let (cause, _) = task_failure(Driver::new::<Spawning>().try_activate(vec![initialize(&())]));
    assert_eq!(cause, TaskFailureCause::NonDeterminism);
}

static FROM_A_RUN: Mutex<Option<Waker>> = Mutex::new(None);

workflow!(Woken, |board, input: ()| -> () {
    Ok(workflow::join!(leave_waker(&FROM_A_RUN), workflow::sleep(SECOND)).1?)
});

workflow!(Waking, |board, input: ()| -> () {
    FROM_A_RUN.lock().unwrap().take().unwrap().wake();
    Ok(())
});

#[test]
fn a_wake_from_another_run_is_one_from_outside() {
    let (mut run, _) = Driver::start::<Woken>(());
    Driver::start::<Waking>(());
    let (cause, _) = task_failure(run.try_activate(vec![fire(1)]));
    assert_eq!(cause, TaskFailureCause::NonDeterminism);
}

workflow!(Yielding, |board, rounds: u32| -> u32 {
    for _ in 0..rounds {
        let mut is_first = true;
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::take(&mut is_first) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
        })
        .await;
    }
    Ok(rounds)
});

#[test]
fn a_wake_from_the_workflow_s_own_code_is_fine() {
    let (_, commands) = Driver::start::<Yielding>(1000);
    assert_eq!(outline(&commands), ["complete workflow: 1000"]);
}

workflow!(
    Busy,
    |board, input: ()| -> () {
        for number in 0..3u64 {
            workflow::spawn(async move {
                workflow::sleep(SECOND * number as u32).await?;
                charge(&number.to_string()).await?;
                Ok::<_, workflow::Error>(workflow::random::<u32>())
            });
        }
        workflow::wait_until(|| board.flag.get()).await?;
        Ok(())
    },
    [signal!("set", |board, input: ()| {
        board.flag.set(true);
        Ok(())
    })]
);

#[test]
fn the_same_activations_give_the_same_commands() {
    let run = || {
        let (mut run, first) = Driver::start::<Busy>(());
        let mut all = outline(&first);
        all.extend(outline(&run.activate(vec![fire(3), fire(1)])));
        all.extend(outline(&run.activate(vec![fire(2), completed(2, 7)])));
        all.extend(outline(&run.activate(vec![signal("set", ()), completed(1, 7)])));
        all
    };
    let commands = run();
    assert_eq!(commands.len(), 7, "{commands:?}");
    assert_eq!(commands, run());
}

workflow!(Rewoken, |board, input: ()| -> bool {
    let mut first: Option<Waker> = None;
    std::future::poll_fn(|cx| match &first {
        Some(waker) => {
            board.flag.set(waker.will_wake(cx.waker()));
            std::task::Poll::Ready(())
        }
        None => {
            first = Some(cx.waker().clone());
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        }
    })
    .await;
    Ok(board.flag.get())
});

#[test]
fn a_task_keeps_its_waker() {
    let (_, commands) = Driver::start::<Rewoken>(());
    assert_eq!(outline(&commands), ["complete workflow: true"]);
}
