"""Values that a Serverless agent has stored: planned, copied to a folder and to S3, stopped, gone on with, verified."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hybrid.plus import Endpoint, PlusClient
from hybrid.redaction import Token
from tests.aws.moto_server import REGION, Moto
from tests.azure.azurite import ACCOUNT, Azurite, IdentityEndpoint, Tokens
from tests.emulated.checkout import HYBRID, Answer, until
from tests.emulated.test_serverless import PROJECT, Plus, environment, plus

__all__ = ["plus"]  # the Serverless deployment with its agent, for this file alone

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(600)]

DEFINITIONS = """
import dagster as dg

DAILY = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")
BOTH = dg.MultiPartitionsDefinition({"colour": dg.StaticPartitionsDefinition(["blue", "green"]), "date": DAILY})

@dg.asset(group_name="plain", key_prefix="raw")
def orders() -> int:
    return 41

@dg.asset(group_name="plain", deps=[orders])
def customers() -> list:
    return list(range(1000))

@dg.asset(group_name="plain")
def nothing() -> None: ...

@dg.asset(group_name="plain")
def result() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 3})

@dg.asset(group_name="plain")
def untyped():
    return None

@dg.asset(group_name="plain", io_manager_key="files")
def elsewhere() -> int:
    return 7

@dg.asset
def never() -> int:
    return 1

@dg.asset(partitions_def=DAILY, group_name="daily")
def daily(context: dg.AssetExecutionContext) -> str:
    return context.partition_key

@dg.asset(partitions_def=BOTH, group_name="both")
def both(context: dg.AssetExecutionContext) -> str:
    return context.partition_key

def job(group):
    return dg.define_asset_job(f"{group}_job", selection=f"group:{group}", executor_def=dg.in_process_executor)

defs = dg.Definitions(
    assets=[orders, customers, nothing, result, untyped, elsewhere, never, daily, both],
    resources={"files": dg.FilesystemIOManager(base_dir="files")},
    jobs=[job("plain"), job("daily"), job("both")],
)
"""
STACK = """
config:
  hybrid:organization: {organization}
  hybrid:deployment: prod
  hybrid:url: {url}
  hybrid:agent:
    kind: local
  hybrid:locations: []
"""
STORED = {
    "raw/orders", "customers", "untyped", "daily/2024-01-01", "daily/2024-01-02", "both/blue/2024-01-01",
    "both/green/2024-01-02",
}  # fmt: skip


@dataclass
class Team:
    """A checkout whose stack ``move`` is the Serverless deployment."""

    root: Path
    plus: Plus

    def client(self) -> PlusClient:
        return PlusClient(Endpoint(url=self.plus.url, organization="local", deployment="prod"), Token(self.plus.token))

    def began(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        given = {"HYBRID_ROOT": str(self.root), "DAGSTER_CLOUD_API_TOKEN": self.plus.token, **more}
        return subprocess.Popen(
            [str(HYBRID), "assets", *arguments],
            env=environment(**given), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str, **more: str) -> Answer:
        process = self.began(*arguments, **more)
        out, err = process.communicate(timeout=120)
        assert self.plus.token not in out + err, "the API token is on the terminal"
        assert "agent:local:" not in out + err, "an agent's token is on the terminal"
        return Answer(process.returncode, out, err)

    def forget(self) -> None:
        for path in (self.root / ".hybrid" / "stacks" / "move").glob("assets.sqlite*"):
            path.unlink()

    def materialize(self, *runs: tuple[str, str | None]) -> None:
        with self.client() as client:
            numbers = []
            for job, partition in runs:
                tags = {"dagster/isolation": "disabled"}
                if partition is not None:
                    tags["dagster/partition"] = partition
                if job == "both" and partition is not None:
                    colour, date = partition.split("|")
                    tags |= {"dagster/partition/colour": colour, "dagster/partition/date": date}
                numbers.append(client.launch_run("quick", f"{job}_job", tags=tags))
            until(lambda: all(client.run(number).is_finished for number in numbers), seconds=120, what="the runs ended")
            assert [client.run(number).status for number in numbers] == ["SUCCESS"] * len(runs)


def below(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and ".asset-values" not in path.name
    }


def at_source(team: Team, key: str) -> bytes:
    *folders, name = key.split("/")
    return (team.plus.data.joinpath("io_storage", "prod", *folders) / f"@{name}").read_bytes()


@pytest.fixture(scope="module")
def team(plus: Plus, tmp_path_factory: pytest.TempPathFactory) -> Team:
    project = tmp_path_factory.mktemp("project")
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "quick").mkdir()
    (project / "quick" / "__init__.py").write_text("")
    (project / "quick" / "definitions.py").write_text(DEFINITIONS)
    how = ["--location-name", "quick", "--module-name", "quick.definitions", "--build-method", "local"]
    plus.cli("serverless", "deploy-python-executable", ".", *how, cwd=project)
    root = tmp_path_factory.mktemp("team")
    (root / "stacks").mkdir()
    (root / "locations").mkdir()
    (root / "stacks" / "Pulumi.move.yaml").write_text(STACK.format(organization="local", url=plus.url))
    made = Team(root, plus)
    made.materialize(
        ("plain", None), ("daily", "2024-01-01"), ("daily", "2024-01-02"),
        ("both", "blue|2024-01-01"), ("both", "green|2024-01-02"),
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    moto = Moto(tmp_path_factory.mktemp("moto"))
    try:
        yield moto
    finally:
        moto.stop()


def test_the_plan_says_of_every_asset_which_way_it_goes(team: Team, tmp_path: Path) -> None:
    plan = team.run("plan", "move", "--to", str(tmp_path / "to"), "--json").document
    ways = {asset["asset"]: (asset["way"], len(asset["values"])) for asset in plan["assets"]}
    assert ways == {
        "raw/orders": ("bytes", 1),
        "customers": ("bytes", 1),
        "untyped": ("bytes", 1),
        "daily": ("bytes", 2),
        "both": ("bytes", 2),
        "elsewhere": ("load", 1),
        "nothing": ("none", 1),
        "result": ("none", 1),
    }
    assert plan["never_stored"] == ["never"]
    assert not (tmp_path / "to").exists(), "a plan writes nothing"
    assert not list(team.root.glob(".hybrid/stacks/move/assets.sqlite")), "not even a manifest"


def test_a_copy_that_is_killed_and_stopped_goes_on_and_leaves_no_token(team: Team, tmp_path: Path) -> None:
    team.forget()
    to = tmp_path / "to"
    slow = ["copy", "move", "--to", str(to), "--yes", "--rate", "0.5", "--threads", "1"]
    killed = team.began(*slow)
    until(lambda: to.is_dir() and below(to), seconds=60, what="a first value is copied")
    killed.kill()
    killed.communicate()
    stopped = team.began(*slow)
    until(lambda: len(below(to)) >= 2, seconds=60, what="another value is copied")
    stopped.send_signal(signal.SIGINT)
    _, said = stopped.communicate(timeout=60)
    assert stopped.returncode == 130, said
    assert "goes on from here" in said
    assert len(below(to)) < len(STORED), "it went on to its end"
    answer = team.run("copy", "move", "--to", str(to), "--yes", "--json")
    assert answer.code == 14, "one asset is left for a run of the location"
    assert [left["asset"] for left in answer.document["left"]] == ["elsewhere"]
    assert team.run("copy", "move", "--to", str(to), "--yes", "--allow-rest").code == 0
    assert below(to) == STORED
    assert all((to / key).read_bytes() == at_source(team, key) for key in STORED), "a byte is another"
    with team.client() as client:
        made = [token for token in client.agent_tokens() if (token.description or "").startswith("hybrid assets")]
    assert len(made) >= 4
    assert all(token.revoked for token in made), "a token outlives its copy"
    kept = b"".join(path.read_bytes() for path in (team.root / ".hybrid").rglob("*") if path.is_file())
    assert team.plus.token.encode() not in kept
    assert b"agent:local:" not in kept
    assert b"Signature" not in kept
    assert team.run("status", "move", "--json").document["values"]["failed"] == 0
    assert team.run("verify", "move").code == 0


def test_what_is_stored_after_the_copy_is_found_and_copied_alone(team: Team, tmp_path: Path) -> None:
    team.forget()
    to = tmp_path / "to"
    only = ["--only", "group:daily"]
    assert team.run("copy", "move", "--to", str(to), "--yes", *only).code == 0, "nothing of it needs a run"
    assert below(to) == {"daily/2024-01-01", "daily/2024-01-02"}
    team.materialize(("daily", "2024-01-02"))
    before = {key: (to / key).stat().st_mtime_ns for key in below(to)}
    answer = team.run("verify", "move", *only, "--json")
    assert (answer.code, answer.document["stale"]) == (14, ["daily [2024-01-02]"])
    assert team.run("copy", "move", "--to", str(to), "--yes", *only).code == 0
    changed = {key for key in below(to) if (to / key).stat().st_mtime_ns != before[key]}
    assert changed <= {"daily/2024-01-02"}
    assert team.run("verify", "move", *only).code == 0


def test_values_go_to_s3_and_a_bucket_that_is_not_there_is_said_before_anything(team: Team, bucket: Moto) -> None:
    team.forget()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
    to = ["--to", "s3://values-of-the-team/assets", "--endpoint", bucket.endpoint, "--yes", "--allow-rest"]
    absent = team.run("copy", "move", *to, **keys)
    assert absent.code == 14, absent.err
    assert "values-of-the-team" in absent.err
    s3 = bucket.client("s3")
    s3.create_bucket(Bucket="values-of-the-team", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert team.run("copy", "move", *to, **keys).code == 0
    found = s3.list_objects_v2(Bucket="values-of-the-team", Prefix="assets/")["Contents"]
    assert {one["Key"].removeprefix("assets/") for one in found} == STORED
    assert team.run("verify", "move", **keys).code == 0
    s3.delete_object(Bucket="values-of-the-team", Key="assets/customers")
    missing = team.run("verify", "move", **keys)
    assert missing.code == 14
    assert "customers: missing" in missing.err


def test_values_go_to_azure_by_the_identity_that_its_tools_find(team: Team, tmp_path: Path) -> None:
    pytest.importorskip("azure.storage.blob", reason="`make azure` installs Azure's libraries")
    team.forget()
    with Azurite(tmp_path, tls=True) as azure, IdentityEndpoint() as identity:
        login = {**identity.variables, "REQUESTS_CA_BUNDLE": str(azure.certificate)}
        place = f"abfss://asset-values@{ACCOUNT}.dfs.core.windows.net/assets"
        to = ["--to", place, "--endpoint", azure.endpoint, "--yes", "--allow-rest"]
        absent = team.run("copy", "move", *to, **login)
        assert absent.code == 14, absent.err
        assert "container" in absent.err
        container = azure.container("asset-values", Tokens())
        plan = team.run("plan", "move", *to[:4], **login)
        assert plan.code == 0, plan.err
        assert list(container.list_blobs()) == [], "a plan writes nothing"
        slow = team.began("copy", "move", *to, "--rate", "0.5", "--threads", "1", **login)
        until(lambda: list(container.list_blobs()), seconds=60, what="a first value is copied")
        slow.kill()
        slow.communicate()
        assert len(list(container.list_blobs())) < len(STORED), "it was killed too late"
        assert team.run("copy", "move", *to, **login).code == 0
        found = {blob.name.removeprefix("assets/") for blob in container.list_blobs()}
        assert found == STORED
        for key in STORED:
            assert container.download_blob(f"assets/{key}").readall() == at_source(team, key), "a byte is another"
        assert team.run("verify", "move", **login).code == 0
        container.delete_blob("assets/customers")
        missing = team.run("verify", "move", **login)
        assert missing.code == 14
        assert "customers: missing" in missing.err
        assert identity.asked, "nobody asked for a token"
        nobody = team.run("copy", "move", *to, **{**login, "IDENTITY_HEADER": "of somebody else"})
        assert nobody.code == 14
        assert "az login" in nobody.err
        assert "Storage Blob Data" in nobody.err


def test_a_wrong_token_and_another_organizations_manifest_are_refused(team: Team, tmp_path: Path) -> None:
    import sqlite3

    team.forget()
    to = ["--to", str(tmp_path / "to"), "--yes", "--allow-rest"]
    refused = team.run("copy", "move", *to, DAGSTER_CLOUD_API_TOKEN="user:local:0123456789abcdef")
    assert refused.code == 8, refused.err
    wrong = team.run("copy", "move", *to, DAGSTER_CLOUD_AGENT_TOKEN="agent:local:0123456789abcdef0123456789abcdef")
    assert wrong.code == 14, "the agent's token is not taken"
    assert "given up" in wrong.err
    with sqlite3.connect(team.root / ".hybrid" / "stacks" / "move" / "assets.sqlite") as manifest:
        manifest.execute("UPDATE identity SET organization = 'globex (1)'")
    manifest.close()
    another = team.run("copy", "move", *to)
    assert another.code == 2
    assert "globex" in another.err
    assert team.run("copy", "move", "--to", "gs://x", "--yes").code == 2
    assert team.run("copy", "move", *to, "--only", "key:").code == 2
