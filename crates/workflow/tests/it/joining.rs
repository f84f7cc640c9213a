use std::rc::Rc;

use stead_workflow as workflow;

use crate::support::*;

workflow!(Both, |board, input: ()| -> (u32, u32) {
    let (a, b) = workflow::join!(charge("a"), charge("b"));
    Ok((a?, b?))
});

#[test]
fn join_polls_in_written_order_and_waits_for_all() {
    let (mut run, commands) = Driver::start::<Both>(());
    assert_eq!(outline(&commands), ["schedule charge 1", "schedule charge 2"]);
    assert_eq!(outline(&run.activate(vec![completed(2, 8)])), [""; 0]);
    assert_eq!(outline(&run.activate(vec![completed(1, 7)])), ["complete workflow: [7,8]"]);
}

workflow!(First, |board, input: ()| -> String {
    let mut kept = workflow::sleep(SECOND * 3);
    let answer = workflow::select! {
        receipt = charge("a") => format!("receipt {}", receipt?),
        _ = workflow::sleep(SECOND) => { "slow".to_owned() }
        _ = &mut kept => "never".to_owned(),
    };
    kept.await?;
    Ok(answer)
});

#[test]
fn select_takes_the_first_that_is_ready_and_cancels_the_others() {
    let (mut run, _) = Driver::start::<First>(());
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel activity 1"]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), [r#"complete workflow: "slow""#]);
}

#[test]
fn select_prefers_what_is_written_first_when_several_are_ready() {
    let (mut run, _) = Driver::start::<First>(());
    // The timer was dropped after it had fired, so there is nothing to cancel.
    assert_eq!(outline(&run.activate(vec![fire(1), completed(1, 7)])), [""; 0]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), [r#"complete workflow: "receipt 7""#]);
}

workflow!(Bodies, |board, input: ()| -> u32 {
    let mut rounds = 0;
    loop {
        workflow::select! {
            (a, b) = async { (1, 2) } => { rounds += a + b; }
        }
        workflow::select! {
            _ = std::future::pending::<()>() => break,
            _ = async {} => if rounds > 5 { return Ok(rounds) },
        }
    }
    Ok(0)
});

#[test]
fn bodies_of_select_may_leave_loops_and_functions_and_take_patterns() {
    let (_, commands) = Driver::start::<Bodies>(());
    assert_eq!(outline(&commands), ["complete workflow: 6"]);
}

workflow!(Many, |board, count: u32| -> Vec<u32> {
    let calls = (0..count).map(|_| charge("a"));
    let mut receipts = vec![];
    for receipt in workflow::join_all(calls).await {
        receipts.push(receipt?);
    }
    Ok(receipts)
});

#[test]
fn join_all_gives_results_in_the_order_of_its_futures() {
    let (mut run, commands) = Driver::start::<Many>(3);
    assert_eq!(outline(&commands), ["schedule charge 1", "schedule charge 2", "schedule charge 3"]);
    assert_eq!(outline(&run.activate(vec![completed(3, 30), completed(1, 10)])), [""; 0]);
    assert_eq!(outline(&run.activate(vec![completed(2, 20)])), ["complete workflow: [10,20,30]"]);
}

#[test]
fn join_all_of_nothing_is_done() {
    let (_, commands) = Driver::start::<Many>(0);
    assert_eq!(outline(&commands), ["complete workflow: []"]);
}

workflow!(
    Counted,
    |board, input: ()| -> u32 {
        let children = (1..=100u32).map(|number| {
            let board = Rc::clone(&board);
            let mut nap = workflow::sleep(SECOND * number);
            std::future::poll_fn(move |cx| {
                board.count.set(board.count.get() + 1);
                std::pin::Pin::new(&mut nap).poll(cx)
            })
        });
        workflow::join_all(children).await;
        Ok(board.count.get())
    },
    [query!("polls", |board, input: ()| board.count.get())]
);

#[test]
fn join_all_polls_only_those_that_were_woken() {
    let (mut run, _) = Driver::start::<Counted>(());
    run.activate((1..=99).map(fire).collect());
    assert_eq!(outline(&run.activate(vec![fire(100)])), ["complete workflow: 200"]);
}

workflow!(DroppedAll, |board, input: ()| -> () {
    workflow::select! {
        _ = workflow::join_all([SECOND * 5, SECOND * 6].map(workflow::sleep)) => {}
        _ = workflow::sleep(SECOND) => {}
    }
    workflow::sleep(SECOND).await?;
    Ok(())
});

#[test]
fn dropping_join_all_cancels_what_is_pending_in_it() {
    let (mut run, _) = Driver::start::<DroppedAll>(());
    assert_eq!(outline(&run.activate(vec![fire(1), fire(3)])), ["cancel timer 2", "start timer 4 1s"]);
}
