"""Workflows between a program of Temporal's Python SDK and one of this SDK, with large payloads in a store they share.

    python conversation.py ADDRESS PROGRAM

The drivers are Python's own for S3 and for Google Cloud Storage, on a folder in the place of a bucket: what is compared
are their names and their claims.
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
from temporalio.contrib.gcp.gcsdriver import GCSStorageDriver, GCSStorageDriverClient
from temporalio.converter import ExternalStorage, StorageDriver
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SECONDS = timedelta(seconds=30)
WORD = "voluminous "
BUCKET = "large"


class Folder:
    """In the place of a bucket. S3 calls the names of objects keys."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def path(self, bucket: str, key: str = "", object_name: str = "") -> pathlib.Path:
        assert bucket == BUCKET
        return self.folder / (key or object_name)

    async def put_object(self, *, data: bytes, **name: str) -> None:
        self.path(**name).parent.mkdir(parents=True, exist_ok=True)
        self.path(**name).write_bytes(data)

    async def object_exists(self, **name: str) -> bool:
        return self.path(**name).exists()

    async def get_object(self, **name: str) -> bytes:
        return self.path(**name).read_bytes()


class S3Folder(Folder, S3StorageDriverClient):
    pass


class GCSFolder(Folder, GCSStorageDriverClient):
    pass


def driver(kind: str, folder: str) -> StorageDriver:
    if kind == "s3":
        return S3StorageDriver(S3Folder(pathlib.Path(folder)), BUCKET)
    return GCSStorageDriver(GCSFolder(pathlib.Path(folder)), BUCKET)


@activity.defn
async def copy(text: str) -> str:
    return f"{text}, copied"


@workflow.defn
class Copies:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(copy, text, start_to_close_timeout=SECONDS)


async def call_rust(client: Client, queue: str, kind: str) -> None:
    volume = WORD * 1000
    handle = await client.start_workflow("Copies", volume, id=f"rust-{uuid.uuid4()}", task_queue=queue)
    assert await handle.result() == f"{volume}, copied by Rust"
    async for event in handle.fetch_history_events():
        assert WORD.encode() not in event.SerializeToString(), event
    print(f"storage: Python and Rust read what the other stored with the driver for {kind}")


async def main(address: str, program: str, kind: str, folder: str) -> None:
    storage = ExternalStorage(drivers=[driver(kind, folder)], payload_size_threshold=1000)
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
        arguments = [address, queue, rust_queue, kind, folder, BUCKET]
        rust = await asyncio.create_subprocess_exec(program, *arguments, stdin=asyncio.subprocess.PIPE)
        try:
            await asyncio.wait_for(call_rust(client, rust_queue, kind), 60)
            # It ends when it has made its own calls, and its input ends.
            rust.stdin.close()
            assert await asyncio.wait_for(rust.wait(), 60) == 0
        finally:
            if rust.returncode is None:
                rust.kill()


for kind in ("s3", "gcs"):
    with tempfile.TemporaryDirectory() as shared:
        asyncio.run(main(sys.argv[1], sys.argv[2], kind, shared))
# Without taking the interpreter down, which aborts now and then: see the conversation of `python`.
sys.stdout.flush()
os._exit(0)
