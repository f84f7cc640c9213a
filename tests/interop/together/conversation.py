"""Workflows between a program of Temporal's Python SDK and one of this SDK, which share a codec, a store for large
payloads and a trace.

    python conversation.py ADDRESS PROGRAM

Each side runs a worker, and calls the other's. All payloads are encrypted; those that are large then are kept in S3, in
one of two buckets by their size. What either side did for a call is one trace. This side is the other's collector of
metrics, too.
"""

import asyncio
import dataclasses
import logging
import os
import sys
import threading
import uuid
from collections.abc import Iterable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aioboto3
import temporalio.converter
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from moto.server import ThreadedMotoServer
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.contrib.aws.s3driver import S3StorageDriver
from temporalio.contrib.aws.s3driver.aioboto3 import new_aioboto3_client
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.converter import ExternalStorage, PayloadCodec
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SECONDS = timedelta(seconds=30)
WORD = "voluminous "
REGION, KEY, SECRET = "eu-west-1", "ada", "a secret of nobody"
# Of the server in the place of S3: a line a request.
logging.getLogger("werkzeug").setLevel(logging.ERROR)


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
        assert payload.metadata["encoding"] == b"binary/encrypted", payload.metadata
        return Payload.FromString(self.cipher.decrypt(payload.data[:12], payload.data[12:], None))


@activity.defn
async def copy(text: str) -> str:
    return f"{text}{text}, copied by Python"


@workflow.defn
class Copies:
    def __init__(self) -> None:
        self.text = ""

    @workflow.run
    async def run(self, title: str) -> str:
        await workflow.wait_condition(lambda: self.text != "")
        return title + await workflow.execute_activity(copy, self.text, start_to_close_timeout=SECONDS)

    @workflow.signal
    def add(self, text: str) -> None:
        self.text = text


@dataclasses.dataclass
class Span:
    """Of either side."""

    side: str
    name: str
    trace: str
    id: str
    parent: str
    link: str


def python_spans(exporter: InMemorySpanExporter) -> list[Span]:
    return [
        Span(
            "python",
            span.name,
            format_trace_id(span.context.trace_id),
            format_span_id(span.context.span_id),
            format_span_id(span.parent.span_id if span.parent else 0),
            format_span_id(span.links[0].context.span_id if span.links else 0),
        )
        for span in exporter.get_finished_spans()
    ]


def rust_spans(printed: bytes) -> list[Span]:
    lines = [line.split(" ", 4) for line in printed.decode().splitlines()]
    return [Span("rust", name, trace, id, parent, link) for trace, id, parent, link, name in lines]


def check_trace(spans: list[Span], caller: str, worker: str) -> None:
    root = next(span for span in spans if span.name == f"{caller} calls")
    of_trace = [span for span in spans if span.trace == root.trace]
    names = {span.id: span.name for span in of_trace}
    found = sorted((span.side, span.name, names.get(span.parent), names.get(span.link)) for span in of_trace)
    start = "StartWorkflow:Copies"
    expected = [
        (caller, root.name, None, None),
        (caller, start, root.name, None),
        (caller, "SignalWorkflow:add", root.name, None),
        (worker, "RunWorkflow:Copies", start, None),
        (worker, "HandleSignal:add", start, "SignalWorkflow:add"),
        (worker, "StartActivity:copy", start, None),
        (worker, "RunActivity:copy", "StartActivity:copy", None),
        (worker, "CompleteWorkflow:Copies", start, None),
    ]
    assert found == sorted(expected), "\n".join(map(str, found))
    assert root.parent == format_span_id(0), root


class Collector(BaseHTTPRequestHandler):
    """Keeps the last message that it was sent."""

    protocol_version = "HTTP/1.1"
    latest = ExportMetricsServiceRequest()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert (self.path, self.headers["content-type"]) == ("/v1/metrics", "application/x-protobuf")
        Collector.latest = ExportMetricsServiceRequest.FromString(body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args) -> None:
        pass


def check_metrics() -> None:
    [resource] = Collector.latest.resource_metrics
    metrics = {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
    [completed] = metrics["temporal_workflow_completed"].sum.data_points
    attributes = {attribute.key: attribute.value.string_value for attribute in completed.attributes}
    assert (completed.as_double, attributes["workflow_type"], attributes["namespace"]) == (1, "Copies", "default"), completed
    latency = metrics["temporal_activity_execution_latency"]
    [executed] = latency.histogram.data_points
    assert (executed.count, sum(executed.bucket_counts), latency.unit) == (1, 1, "ms"), latency
    assert len(executed.bucket_counts) == len(executed.explicit_bounds) + 1, latency
    assert 0 < completed.start_time_unix_nano < completed.time_unix_nano, completed
    assert {point.as_double for point in metrics["temporal_worker_start"].sum.data_points} == {1}, metrics


async def call_rust(client: Client, queue: str) -> None:
    volume = WORD * 1000
    handle = await client.start_workflow("Copies", "title: ", id=f"rust-{uuid.uuid4()}", task_queue=queue)
    await handle.signal("add", volume)
    assert await handle.result() == f"title: {volume}{volume}, copied by Rust"
    await nothing_to_read(handle)


async def nothing_to_read(handle) -> None:
    async for event in handle.fetch_history_events():
        written = event.SerializeToString()
        assert WORD.encode() not in written and b"title" not in written, event


async def objects(s3, bucket: str) -> list[bytes]:
    listed = (await s3.list_objects_v2(Bucket=bucket)).get("Contents", [])
    answers = [await s3.get_object(Bucket=bucket, Key=found["Key"]) for found in listed]
    return [await answer["Body"].read() for answer in answers]


async def main(address: str, program: str, endpoint: str, s3) -> None:
    for bucket in ("large", "huge"):
        await s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    by_size = lambda _context, payload: "huge" if len(payload.data) > 20_000 else "large"
    storage = ExternalStorage(drivers=[S3StorageDriver(new_aioboto3_client(s3), by_size)], payload_size_threshold=1000)
    converter = dataclasses.replace(
        temporalio.converter.default(), payload_codec=EncryptionCodec(), external_storage=storage
    )
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("together")
    client = await Client.connect(address, data_converter=converter, interceptors=[TracingInterceptor(tracer)])
    queue, rust_queue = f"together-python-{uuid.uuid4()}", f"together-rust-{uuid.uuid4()}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Copies],
        activities=[copy],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    collecting = f"http://127.0.0.1:{collector.server_port}"
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    async with worker:
        rust = await asyncio.create_subprocess_exec(program, address, queue, rust_queue, endpoint, collecting, **pipes)
        try:
            with tracer.start_as_current_span("python calls"):
                await asyncio.wait_for(call_rust(client, rust_queue), 60)
            print("together: Python calls Rust, and the server can read nothing")
            # It ends when it has made its own calls, and its input ends.
            printed, _ = await asyncio.wait_for(rust.communicate(b""), 60)
            assert rust.returncode == 0, rust.returncode
        finally:
            if rust.returncode is None:
                rust.kill()
        await nothing_to_read(client.get_workflow_handle(f"{queue}-copies"))
        print("together: Rust calls Python, and the server can read nothing")
    large, huge = await objects(s3, "large"), await objects(s3, "huge")
    assert large and huge, (len(large), len(huge))
    assert all(WORD.encode() not in written for written in large + huge), "payloads are stored as they are"
    print(f"together: {len(large)} payloads in one bucket and {len(huge)} in the other, by their size")
    spans = python_spans(exporter) + rust_spans(printed)
    check_trace(spans, "rust", "python")
    check_trace(spans, "python", "rust")
    print("together: each call is one trace through both")
    check_metrics()
    print("together: metrics are read by a collector's own messages")


async def with_s3(address: str, program: str) -> None:
    # Or requests would go to a proxy that the environment names.
    os.environ["NO_PROXY"] = "127.0.0.1"
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    session = aioboto3.Session(aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name=REGION)
    async with session.client("s3", endpoint_url=endpoint) as s3:
        await main(address, program, endpoint, s3)


asyncio.run(with_s3(sys.argv[1], sys.argv[2]))
# Without taking the interpreter down, which aborts now and then: see the conversation of `python`.
sys.stdout.flush()
os._exit(0)
