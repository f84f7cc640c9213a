"""What a program of Temporal's Python SDK does on a server: hello, signal, query, update, child, timer, heartbeat,
activities without a workflow.

    python conversation.py ADDRESS

Prints one line a feature, and ends with an error at the first that fails.
"""

import asyncio
import logging
import os
import sys
import uuid
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import ActivityFailureError, Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SECONDS = timedelta(seconds=30)
# The failures of a test are meant to happen.
logging.getLogger("temporalio").setLevel(logging.CRITICAL)


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity.defn
async def stubborn() -> int:
    """Fails twice, and knows at the third attempt what the first two have left."""
    details = activity.info().heartbeat_details
    activity.heartbeat(activity.info().attempt)
    if activity.info().attempt < 3:
        raise ApplicationError("not yet")
    return details[0]


@activity.defn
async def until_cancelled() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


@workflow.defn
class Hello:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=SECONDS)


@workflow.defn
class Cart:
    def __init__(self) -> None:
        self.items: list[str] = []
        self.closed = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.closed)
        return self.items

    @workflow.signal
    def close(self) -> None:
        self.closed = True

    @workflow.query
    def count(self) -> int:
        return len(self.items)

    @workflow.update
    async def add(self, item: str) -> int:
        await asyncio.sleep(0.01)
        self.items.append(item)
        return len(self.items)

    @add.validator
    def check(self, item: str) -> None:
        if not item:
            raise ApplicationError("nothing to add")


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, names: list[str]) -> list[str]:
        children = [
            workflow.execute_child_workflow(Hello.run, name, id=f"{workflow.info().workflow_id}-{name}")
            for name in names
        ]
        return list(await asyncio.gather(*children))


@workflow.defn
class Persistent:
    @workflow.run
    async def run(self, round: int) -> int:
        await workflow.sleep(0.05)
        last = await workflow.execute_activity(
            stubborn, start_to_close_timeout=SECONDS, heartbeat_timeout=SECONDS
        )
        if round == 0:
            workflow.continue_as_new(1)
        return last


@workflow.defn
class Cancellable:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_activity(
                until_cancelled,
                start_to_close_timeout=SECONDS,
                heartbeat_timeout=timedelta(seconds=1),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        except BaseException as error:  # a cancelled activity is an ActivityError, a cancelled task its own error
            return type(error).__name__
        return "not cancelled"


@workflow.defn
class Failing:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("as it must", {"code": 7}, type="Planned", non_retryable=True)


async def converse(client: Client, queue: str) -> None:
    def options(name: str) -> dict:
        return {"id": f"{name}-{uuid.uuid4()}", "task_queue": queue}

    said = await client.execute_workflow(Hello.run, "Python", **options("hello"))
    passed("hello", said == "Hello, Python!")

    cart = await client.start_workflow(Cart.run, **options("cart"))
    passed("update", await cart.execute_update(Cart.add, "tea") == 1)
    try:
        await cart.execute_update(Cart.add, "")
        passed("validator", False)
    except Exception as error:
        passed("validator", "nothing to add" in str(error.__cause__))
    passed("query", await cart.query(Cart.count) == 1)
    await cart.signal(Cart.close)
    passed("signal", await cart.result() == ["tea"])

    said = await client.execute_workflow(Parent.run, ["a", "b"], **options("parent"))
    passed("children", said == ["Hello, a!", "Hello, b!"])

    last = await client.execute_workflow(Persistent.run, 0, **options("persistent"))
    passed("timer, retries, heartbeat details and continue-as-new", last == 2)

    cancellable = await client.start_workflow(Cancellable.run, **options("cancellable"))
    await asyncio.sleep(0.3)
    await cancellable.cancel()
    passed("cancellation", await cancellable.result() in ("ActivityError", "CancelledError"))

    try:
        await client.execute_workflow(Failing.run, **options("failing"))
        passed("failure", False)
    except WorkflowFailureError as error:
        passed("failure", error.cause.type == "Planned" and error.cause.details == ({"code": 7},))

    terminated = await client.start_workflow(Cart.run, **options("terminated"))
    await terminated.terminate("enough")
    described = await terminated.describe()
    passed("terminate and describe", described.status.name == "TERMINATED")

    found = [found.id async for found in client.list_workflows(f"WorkflowId = '{terminated.id}'")]
    passed("list", found == [terminated.id])

    passed("activities without a workflow", await standalone(client, queue))


async def standalone(client: Client, queue: str) -> bool:
    def options(name: str) -> dict:
        return {
            "id": f"{name}-{uuid.uuid4()}",
            "task_queue": queue,
            "start_to_close_timeout": SECONDS,
            "heartbeat_timeout": SECONDS,
        }

    said = await client.execute_activity(greet, "alone", **options("greet"))
    retried = await client.start_activity(stubborn, **options("stubborn"))
    last = await retried.result()
    described = await retried.describe()
    cancelled = await client.start_activity(until_cancelled, **options("cancelled"))
    await cancelled.cancel()
    try:
        await cancelled.result()
        return False
    except ActivityFailureError as error:
        is_cancelled = isinstance(error.cause, CancelledError)
    listed = [found.activity_id async for found in client.list_activities(f'ActivityId = "{retried.id}"')]
    counted = await client.count_activities(f'ActivityId = "{cancelled.id}" GROUP BY ExecutionStatus')
    groups = [(group.group_values[0], group.count) for group in counted.groups]
    return (
        (said, last, described.status.name, is_cancelled) == ("Hello, alone!", 2, "COMPLETED", True)
        and (listed, groups) == ([retried.id], [("Canceled", 1)])
    )


def passed(feature: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"{feature}: not as it should be")
    print(f"{feature}: ok", flush=True)


async def main(address: str) -> None:
    client = await Client.connect(address)
    queue = f"python-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Hello, Cart, Parent, Persistent, Cancellable, Failing],
        activities=[greet, stubborn, until_cancelled],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        await converse(client, queue)


asyncio.run(main(sys.argv[1]))
# The SDK's own threads may still return to the interpreter while it is taken down, which aborts
# the process ("PyGILState_Release") now and then: leave without taking it down.
os._exit(0)
