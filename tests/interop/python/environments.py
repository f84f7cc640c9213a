"""The environments of Temporal's Python SDK, with `stead` in the place of the programs that they download.

    python environments.py PROGRAM
"""

import asyncio
import os
import sys
import uuid
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

CUSTOMER = SearchAttributeKey.for_keyword("Customer")
A_YEAR = timedelta(days=365)


@workflow.defn
class Sleeps:
    @workflow.run
    async def run(self, seconds: float) -> bool:
        await workflow.sleep(seconds)
        return workflow.info().is_continue_as_new_suggested()


async def sleeps(client: Client, seconds: float, **options) -> bool:
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[Sleeps], workflow_runner=UnsandboxedWorkflowRunner()):
        return await client.execute_workflow(
            Sleeps.run, seconds, id=f"sleeps-{queue}", task_queue=queue, **options
        )


async def local(program: str) -> None:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=program,
        namespace="shop",
        search_attributes=[CUSTOMER],
        dev_server_extra_args=["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=3"],
    ) as env:
        customer = TypedSearchAttributes([SearchAttributePair(CUSTOMER, "Ada")])
        assert await sleeps(env.client, 0.001, search_attributes=customer), "no suggestion to continue as new"
        found = [run async for run in env.client.list_workflows("Customer = 'Ada'")]
        assert len(found) == 1, found
        assert env.client.namespace == "shop"


async def skipping(program: str) -> None:
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=program) as env:
        before = await env.get_current_time()
        await sleeps(env.client, A_YEAR.total_seconds())
        assert await env.get_current_time() - before >= A_YEAR


async def skipping_alone(program: str) -> None:
    async with await WorkflowEnvironment.start_time_skipping_v2(dev_server_existing_path=program) as env:
        await sleeps(env.client, A_YEAR.total_seconds())


async def main() -> None:
    for environment in [local, skipping, skipping_alone]:
        await asyncio.wait_for(environment(sys.argv[1]), 60)
        print(f"environment: {environment.__name__}")


asyncio.run(main())
# The SDK's threads may still end while the interpreter does, which then aborts.
sys.stdout.flush()
os._exit(0)
