"""Values stored on Serverless are copied to S3 (moto stands in), the deployment is switched, and runs of the Hybrid
agent load them from there, with no edit of code: the path of docs/assets.md. And copies between places of one's own."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from hybrid.plus import Endpoint, PlusClient
from hybrid.redaction import Token
from tests.aws.moto_server import REGION, Moto
from tests.emulated.checkout import HYBRID, REPOSITORY, Answer, Checkout, until
from tests.ports import free_port

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(600)]

BUCKET = "values-of-the-team"
CODE = """
import dagster as dg
from asset_values import verify_stored_values_job

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-03")
BOTH = dg.MultiPartitionsDefinition({"country": dg.StaticPartitionsDefinition(["es", "fr"]), "day": DAYS})

@dg.asset
def products() -> list:
    return ["pen", "ink"]

@dg.asset(deps=[products])
def report() -> None: ...

@dg.asset(partitions_def=DAYS)
def orders(context: dg.AssetExecutionContext) -> str:
    return context.partition_key

@dg.asset(partitions_def=BOTH)
def visits(context: dg.AssetExecutionContext) -> str:
    return context.partition_key

@dg.asset(ins={"visits": dg.AssetIn(metadata={"allow_missing_partitions": True})})
def summary(products: list, orders: dict, visits: dict) -> list:
    return [products[0], *sorted(orders.values()), *sorted(visits.values())]

def job(name, *assets):
    return dg.define_asset_job(name, list(assets), executor_def=dg.in_process_executor)

defs = dg.Definitions(
    assets=[products, report, orders, visits, summary],
    jobs=[job("plain", products, report), job("daily", orders), job("both", visits), job("after", summary),
          verify_stored_values_job()],
)
"""
STACK = """config:
  hybrid:organization: acme
  hybrid:url: {url}
  hybrid:agent:
    kind: local
    environment: {{AWS_SHARED_CREDENTIALS_FILE: {credentials}}}
  hybrid:assetValues:
    ioManager: true
    bucket: {bucket}
    region: {region}
    endpoint: {endpoint}
"""
STORED = {"products", "orders/2026-01-01", "orders/2026-01-02", "visits/es/2026-01-01", "visits/fr/2026-01-02"}
SUMMARY = ["pen", "2026-01-01", "2026-01-02", "es|2026-01-01", "fr|2026-01-02"]
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass
class Moving:
    """A Serverless deployment, the bucket, and the checkout whose stack ``local`` is to serve it."""

    url: str
    data: Path
    checkout: Checkout
    moto: Moto

    @property
    def token(self) -> str:
        return (self.data / "api-token").read_text().strip()

    def hybrid(self, *arguments: str, **more: str) -> Answer:
        given = {"DAGSTER_CLOUD_API_TOKEN": self.token, **KEYS, **more}
        answer = self.checkout.hybrid(*arguments, timeout=300, **given)
        assert self.token not in answer.out + answer.err, "a token was shown"
        return answer

    def done(self, *arguments: str, **more: str) -> Answer:
        answer = self.hybrid(*arguments, **more)
        assert answer.code == 0, f"{arguments}: {answer.out}{answer.err}"
        return answer

    def client(self) -> PlusClient:
        return PlusClient(Endpoint(url=self.url, organization="acme", deployment="prod"), Token(self.token))

    def run(self, client: PlusClient, job: str, partition: str | None = None) -> str:
        """A run's last status."""
        tags = {"dagster/isolation": "disabled"}
        if partition is not None:
            tags["dagster/partition"] = partition
            if "|" in partition:
                country, day = partition.split("|")
                tags |= {"dagster/partition/country": country, "dagster/partition/day": day}
        number = client.launch_run("alpha", job, tags=tags)
        until(lambda: client.run(number).is_finished, seconds=120, what=f"the run of {job} ended")
        return client.run(number).status

    def there(self, prefix: str = "assets/") -> dict[str, Any]:
        found = self.moto.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {each["Key"].removeprefix(prefix): each["ETag"] for each in found}

    def value(self, key: str) -> Any:
        body = self.moto.client("s3").get_object(Bucket=BUCKET, Key=f"assets/{key}")["Body"].read()
        return pickle.loads(body)  # noqa: S301 - written by this test's runs

    def stack(self, name: str, url: str) -> None:
        """A stack file of the deployment, at this address."""
        credentials = self.checkout.root / "aws-credentials"
        credentials.write_text("[default]\naws_access_key_id = test\naws_secret_access_key = test\n")
        text = STACK.format(url=url, credentials=credentials, bucket=BUCKET, region=REGION, endpoint=self.moto.endpoint)
        (self.checkout.root / "stacks" / f"Pulumi.{name}.yaml").write_text(text)

    def begin(self) -> None:
        """The location as it will run on Hybrid, loaded by Serverless, with values stored there."""
        wheels = str(self.checkout.root / "wheels")
        wheel = self.done("assets", "library", "--into", wheels, "--json").document["wheel"]
        folder = self.checkout.location("alpha", CODE, (f"dagster-asset-values @ {Path(wheel).as_uri()}",))
        self.stack("local", self.url)
        with self.client() as client:
            until(client.agents, seconds=120, what="the Serverless agent reports")
            document = {"location_name": "alpha", "code_source": {"module_name": "alpha.definitions"}}
            client.put_location({**document, "working_directory": str(folder / "src")})
            until(lambda: client.code_locations()[0].is_loaded, seconds=120, what="Serverless has loaded it")
            runs = [("plain", None), ("daily", "2026-01-01"), ("both", "es|2026-01-01"), ("both", "fr|2026-01-02")]
            assert {self.run(client, *run) for run in runs} == {"SUCCESS"}, "it was not stored on Serverless"


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Moving]:
    root = tmp_path_factory.mktemp("moving")
    moto = Moto(tmp_path_factory.mktemp("moto"))
    moto.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    port = free_port()
    command = [str(HYBRID), "emulator", "serve", "--data", str(root / "data"), "--port", str(port)]
    options = ["--organization", "acme", "--agent-type", "serverless", "--serverless-departure", "0"]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("DAGSTER_", "PULUMI_", "AWS_"))}
    with (root / "log").open("wb") as log:
        server = subprocess.Popen([*command, *options], env=inherited, stdout=log, stderr=log)
    checkout = Checkout(root / "checkout", shared=environments)
    (checkout.root / "asset_values").symlink_to(REPOSITORY / "asset_values")
    made = Moving(f"http://127.0.0.1:{port}", root / "data", checkout, moto)
    try:
        until((made.data / "api-token").exists, seconds=60, what="it serves")
        made.begin()
        yield made
    finally:
        if (made.data / "api-token").exists():
            made.hybrid("down", "local", "--yes")
        checkout.destroy()
        server.terminate()
        server.wait(timeout=30)
        moto.stop()
        for process in psutil.process_iter():
            try:
                if str(made.data) in " ".join(process.cmdline()):
                    process.kill()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue


def test_what_serverless_stored_is_loaded_from_the_bucket_by_runs_on_hybrid(moving: Moving) -> None:
    moving.done("assets", "copy", "local", "--yes")
    with moving.client() as client:
        assert moving.run(client, "daily", "2026-01-02") == "SUCCESS"
    behind = moving.hybrid("assets", "verify", "local")
    assert (behind.code, "orders [2026-01-02]" in behind.err) == (14, True), behind.err
    moving.done("switch", "pause", "local", "--yes")
    moving.done("switch", "drain", "local")
    before = moving.there()
    moving.done("assets", "copy", "local", "--yes")
    copied = moving.there()
    assert set(copied) == STORED
    assert {key: copied[key] for key in before} == before
    moving.done("assets", "verify", "local")

    with moving.client() as client:
        client.set_agent_type("HYBRID")
    moving.done("up", "local", "--yes")
    with moving.client() as client:
        assert moving.run(client, "after") == "SUCCESS", "a run on Hybrid does not find what was copied"
    assert moving.value("summary") == SUMMARY
    assert {key: tag for key, tag in moving.there().items() if key != "summary"} == copied, "a run wrote over a copy"

    moving.done("switch", "resume", "local", "--yes")
    load = ["assets", "verify", "local", "--load", "9"]
    loaded = moving.done(*load)
    assert "loaded through its own IO manager" in loaded.err
    assert "5 ok" in loaded.err, "what Hybrid stored itself is in no copy, and is not missed"
    moving.moto.client("s3").put_object(Bucket=BUCKET, Key="assets/summary", Body=b"no pickle")
    broken = moving.hybrid(*load)
    assert broken.code == 9, f"a value that cannot be loaded was not noticed: {broken.err}"
    assert "/runs/" in broken.err

    with moving.client() as client:
        client.set_agent_type("SERVERLESS")
    there = moving.there()
    again = moving.done("assets", "copy", "local", "--yes")
    assert "kept there: 1 value of summary." in again.err, "a second switch would end here: Serverless has not got it"
    assert moving.there() == there, "what Hybrid stored was touched"


def test_values_go_from_a_folder_to_a_bucket_and_from_there_to_a_folder(moving: Moving, tmp_path: Path) -> None:
    moving.stack("places", moving.url)
    manifest = moving.checkout.root / ".hybrid" / "stacks" / "places" / "assets.sqlite"
    source = tmp_path / "source"
    source.mkdir()
    (source / "products").write_bytes(b"some bytes")
    (source / "of-an-op").write_bytes(b"more")
    only = ["--only", "key:products", "--yes"]
    there = ["--from", str(source), "--to", f"s3://{BUCKET}/elsewhere", "--endpoint", moving.moto.endpoint]
    planned = moving.done("assets", "plan", "places", *there).err
    assert "10 B" in planned, "a place that can be listed tells sizes"
    assert "of no asset here" in planned
    nowhere = moving.hybrid("assets", "copy", "places", *there, *only)
    assert (nowhere.code, "AWS_DEFAULT_REGION" in nowhere.err) == (14, True), "the region is guessed, and that is said"
    moving.done("assets", "copy", "places", *there, *only, AWS_DEFAULT_REGION=REGION)
    assert set(moving.there("elsewhere/")) == {"products"}, "what is of no asset was copied"
    moving.done("assets", "verify", "places", "--only", "key:products", AWS_DEFAULT_REGION=REGION)

    back = ["--from", f"s3://{BUCKET}/elsewhere", "--to", str(tmp_path / "back"), *only]
    endpoint = ["--from-endpoint", moving.moto.endpoint]
    other = moving.hybrid("assets", "copy", "places", *back, *endpoint, AWS_DEFAULT_REGION=REGION)
    assert (other.code, "of another copy" in other.err) == (2, True), other.err
    manifest.unlink()
    moving.done("assets", "copy", "places", *back, *endpoint, AWS_DEFAULT_REGION=REGION)
    assert (tmp_path / "back" / "products").read_bytes() == b"some bytes"
    alone = moving.hybrid("assets", "copy", "places", *only, *endpoint)
    assert (alone.code, "give both, or neither" in alone.err) == (2, True), alone.err
    folder = moving.hybrid("assets", "copy", "places", "--from", str(source), *only, *endpoint)
    assert (folder.code, "--from-endpoint is for places on S3" in folder.err) == (2, True), folder.err


@contextmanager
def silent_about_assets(url: str) -> Iterator[tuple[str, threading.Event]]:
    """An address of the same Dagster+ that never answers what assets are like, and whether it was asked that."""
    asked, over = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if b"HybridAssetNodes" in body:
                asked.set()
                over.wait()
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = httpx.post(f"{url}{self.path}", content=body, headers=headers, timeout=30)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        over.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("command", ["plan", "copy"])
def test_ctrl_c_ends_what_waits_for_dagster_plus(moving: Moving, command: str, tmp_path: Path) -> None:
    def tokens() -> int:
        with moving.client() as client:
            return len([one for one in client.agent_tokens() if not one.revoked])

    before = tokens()
    with silent_about_assets(moving.url) as (url, asked):
        moving.stack("silent", url)
        to = ["--to", str(tmp_path / "to"), *(["--yes"] if command == "copy" else [])]
        process = moving.checkout.start("assets", command, "silent", *to, DAGSTER_CLOUD_API_TOKEN=moving.token)
        try:
            assert asked.wait(60), "it never asked"
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130, out + err
    assert time.monotonic() - began < 5, "it waited for answers that nobody needs any more"
    assert "Traceback" not in err
    assert tokens() == before, "a token is left"
