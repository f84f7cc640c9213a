"""Workflows between a program of Temporal's Python SDK and one of this SDK, which share a codec.

    python conversation.py ADDRESS PROGRAM

Each side runs a worker, and calls the other's. The codec is written as the samples of the Python SDK have it.
"""

import asyncio
import dataclasses
import logging
import os
import sys
import uuid
from datetime import timedelta
from typing import Iterable

import temporalio.converter
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes, PayloadCodec
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SECONDS = timedelta(seconds=30)
SECRET = "hush"
# The failures of a test are meant to happen.
logging.getLogger("temporalio").setLevel(logging.CRITICAL)


class EncryptionCodec(PayloadCodec):
    key_id = "test-key-id"
    cipher = AESGCM(b"test-key-test-key-test-key-test!")

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [self.encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [self.decrypt(payload) for payload in payloads]

    def encrypt(self, payload: Payload) -> Payload:
        nonce = os.urandom(12)
        metadata = {"encoding": b"binary/encrypted", "encryption-key-id": self.key_id.encode()}
        return Payload(metadata=metadata, data=nonce + self.cipher.encrypt(nonce, payload.SerializeToString(), None))

    def decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding", b"") != b"binary/encrypted":
            return payload
        assert payload.metadata["encryption-key-id"] == self.key_id.encode()
        return Payload.FromString(self.cipher.decrypt(payload.data[:12], payload.data[12:], None))


@activity.defn
async def shout(text: str) -> str:
    return f"{text.upper()}, says Python"


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, text: str) -> str:
        if text.endswith("!"):
            raise ApplicationError(f"{text} is too loud", type="TooLoud")
        return await workflow.execute_activity(shout, text, start_to_close_timeout=SECONDS)


async def call_rust(client: Client, queue: str) -> None:
    handle = await client.start_workflow("Echo", f"{SECRET} one", id=f"rust-{uuid.uuid4()}", task_queue=queue)
    assert await handle.result() == f"{SECRET.upper()} ONE, says Rust", await handle.result()
    await nothing_to_read(handle)
    print("codec: Python calls Rust")

    loud = await client.start_workflow("Echo", f"{SECRET} one!", id=f"rust-{uuid.uuid4()}", task_queue=queue)
    try:
        await loud.result()
        raise AssertionError("the workflow did not fail")
    except WorkflowFailureError as error:
        assert isinstance(error.cause, ApplicationError), error.cause
        assert (error.cause.type, error.cause.message) == ("TooLoud", f"{SECRET} one! is too loud"), error.cause
    await nothing_to_read(loud)
    print("codec: Python reads a failure of Rust")


async def nothing_to_read(handle) -> None:
    async for event in handle.fetch_history_events():
        assert SECRET.encode() not in event.SerializeToString().lower(), event


async def main(address: str, program: str) -> None:
    converter = dataclasses.replace(
        temporalio.converter.default(),
        payload_codec=EncryptionCodec(),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
    client = await Client.connect(address, data_converter=converter)
    queue = f"codec-python-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Echo],
        activities=[shout],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        rust_queue = f"codec-rust-{uuid.uuid4()}"
        rust = await asyncio.create_subprocess_exec(
            program, address, queue, rust_queue, stdin=asyncio.subprocess.PIPE
        )
        try:
            await asyncio.wait_for(call_rust(client, rust_queue), 60)
            # It ends when it has made its own calls, and its input ends.
            rust.stdin.close()
            assert await asyncio.wait_for(rust.wait(), 60) == 0
        finally:
            if rust.returncode is None:
                rust.kill()


asyncio.run(main(sys.argv[1], sys.argv[2]))
# Without taking the interpreter down, which aborts now and then: see the conversation of `python`.
sys.stdout.flush()
os._exit(0)
