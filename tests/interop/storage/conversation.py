"""Workflows between a program of Temporal's Python SDK and one of this SDK, with large payloads in a store they share.

    python conversation.py ADDRESS PROGRAM

The driver is Python's own for S3, on a folder in the place of a bucket: what is compared are its keys and its claims.
"""

import asyncio
import dataclasses
import os
import pathlib
import sys
import tempfile
import uuid
from datetime import timedelta

import temporalio.converter
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.aws.s3driver import S3StorageDriver, S3StorageDriverClient
from temporalio.converter import ExternalStorage
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SECONDS = timedelta(seconds=30)
WORD = "voluminous "
BUCKET = "large"


class FolderClient(S3StorageDriverClient):
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def path(self, bucket: str, key: str) -> pathlib.Path:
        assert bucket == BUCKET
        return self.folder / key

    async def put_object(self, *, bucket: str, key: str, data: bytes) -> None:
        self.path(bucket, key).parent.mkdir(parents=True, exist_ok=True)
        self.path(bucket, key).write_bytes(data)

    async def object_exists(self, *, bucket: str, key: str) -> bool:
        return self.path(bucket, key).exists()

    async def get_object(self, *, bucket: str, key: str) -> bytes:
        return self.path(bucket, key).read_bytes()


@activity.defn
async def copy(text: str) -> str:
    return f"{text}, copied"


@workflow.defn
class Copies:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(copy, text, start_to_close_timeout=SECONDS)


async def call_rust(client: Client, queue: str) -> None:
    volume = WORD * 1000
    handle = await client.start_workflow("Copies", volume, id=f"rust-{uuid.uuid4()}", task_queue=queue)
    assert await handle.result() == f"{volume}, copied by Rust"
    async for event in handle.fetch_history_events():
        assert WORD.encode() not in event.SerializeToString(), event
    print("storage: Python and Rust read what the other stored")


async def main(address: str, program: str, folder: str) -> None:
    driver = S3StorageDriver(FolderClient(pathlib.Path(folder)), BUCKET)
    storage = ExternalStorage(drivers=[driver], payload_size_threshold=1000)
    converter = dataclasses.replace(temporalio.converter.default(), external_storage=storage)
    client = await Client.connect(address, data_converter=converter)
    queue = f"storage-python-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Copies],
        activities=[copy],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        rust_queue = f"storage-rust-{uuid.uuid4()}"
        arguments = [address, queue, rust_queue, folder, BUCKET]
        rust = await asyncio.create_subprocess_exec(program, *arguments, stdin=asyncio.subprocess.PIPE)
        try:
            await asyncio.wait_for(call_rust(client, rust_queue), 60)
            # It ends when it has made its own calls, and its input ends.
            rust.stdin.close()
            assert await asyncio.wait_for(rust.wait(), 60) == 0
        finally:
            if rust.returncode is None:
                rust.kill()


with tempfile.TemporaryDirectory() as shared:
    asyncio.run(main(sys.argv[1], sys.argv[2], shared))
# Without taking the interpreter down, which aborts now and then: see the conversation of `python`.
sys.stdout.flush()
os._exit(0)
