"""Workflows that `stead` has, too (`tests/src/moved.rs`), on Temporal's Python SDK.

    python recordings.py ADDRESS

Runs each to its end; prints for each what it shows, and its ids.
"""

import asyncio
import logging
import os
import sys
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SECONDS = timedelta(seconds=30)
# The failures of a test are meant to happen.
logging.getLogger("temporalio").setLevel(logging.CRITICAL)


@activity.defn(name="Greeter::greet")
async def greet(name: str) -> str:
    return f"hello {name}"


@activity.defn(name="Greeter::part")
async def part(name: str) -> str:
    return f"bye {name}"


@activity.defn(name="Greeter::insist")
async def insist(_name: str) -> int:
    """Fails twice."""
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(f"attempt {attempt} fails")
    return attempt


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        hello = await workflow.execute_activity(greet, name, start_to_close_timeout=SECONDS)
        await workflow.sleep(0.05)
        bye = await workflow.execute_activity(part, name, start_to_close_timeout=SECONDS)
        return f"{hello}, {bye}"


@workflow.defn
class Persistent:
    @workflow.run
    async def run(self, name: str) -> int:
        return await workflow.execute_local_activity(
            insist,
            name,
            start_to_close_timeout=SECONDS,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100), backoff_coefficient=10),
            local_retry_threshold=timedelta(milliseconds=500),
        )


@workflow.defn
class Versioned:
    @workflow.run
    async def run(self, name: str) -> str:
        text = await workflow.execute_activity(greet, name, start_to_close_timeout=SECONDS)
        if workflow.patched("louder"):
            text += "!"
        await workflow.sleep(0.05)
        return text


@workflow.defn
class Child:
    @workflow.run
    async def run(self, name: str) -> str:
        return f"hello {name}"


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, name: str) -> str:
        said = await workflow.execute_child_workflow(Child.run, name, id=f"{workflow.info().workflow_id}-child")
        return f"the child says {said}"


@workflow.defn
class Counter:
    def __init__(self) -> None:
        self.total = 0

    @workflow.run
    async def run(self, until: int) -> int:
        await workflow.wait_condition(lambda: self.total >= until)
        return self.total

    @workflow.update
    def add(self, n: int) -> int:
        self.total += n
        return self.total

    @add.validator
    def check(self, n: int) -> None:
        if n == 0:
            raise ValueError("nothing to add")


@workflow.defn
class Countdown:
    @workflow.run
    async def run(self, n: int) -> int:
        await workflow.sleep(0.02)
        if n > 0:
            workflow.continue_as_new(n - 1)
        return n


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.paid: int | None = None

    @workflow.run
    async def run(self, item: str) -> str:
        await workflow.execute_activity(greet, item, start_to_close_timeout=SECONDS)
        await workflow.wait_condition(lambda: self.paid is not None)
        await workflow.sleep(0.1)
        await workflow.execute_activity(part, item, start_to_close_timeout=SECONDS)
        return f"{item}, paid {self.paid}, shipped"

    @workflow.signal
    def pay(self, amount: int) -> None:
        self.paid = amount


async def run_all(client: Client, queue: str) -> None:
    async def start(name: str, run: Callable[..., Any], arg: Any) -> WorkflowHandle[Any, Any]:
        handle = await client.start_workflow(run, arg, id=f"{queue}-{name}", task_queue=queue)
        print(name, handle.id, handle.first_execution_run_id, flush=True)
        return handle

    assert await (await start("activity", Greeting.run, "Ada")).result() == "hello Ada, bye Ada"
    assert await (await start("local-activity", Persistent.run, "Ada")).result() == 3
    assert await (await start("patch", Versioned.run, "Ada")).result() == "hello Ada!"
    assert await (await start("child", Parent.run, "Ada")).result() == "the child says hello Ada"
    assert await (await start("continue-as-new", Countdown.run, 2)).result() == 0

    counter = await start("update", Counter.run, 10)
    assert await counter.execute_update(Counter.add, 4) == 4
    try:
        await counter.execute_update(Counter.add, 0)
        raise AssertionError("the validator let it through")
    except WorkflowUpdateFailedError:
        pass
    assert await counter.execute_update(Counter.add, 6) == 10
    assert await counter.result() == 10

    order = await start("order", Order.run, "tea")
    await order.signal(Order.pay, 3)
    assert await order.result() == "tea, paid 3, shipped"


async def main(address: str) -> None:
    client = await Client.connect(address)
    queue = f"python-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Greeting, Persistent, Versioned, Child, Parent, Counter, Countdown, Order],
        activities=[greet, part, insist],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        await run_all(client, queue)


asyncio.run(main(sys.argv[1]))
# As in conversation.py: the interpreter is not taken down.
os._exit(0)
