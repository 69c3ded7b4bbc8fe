"""Variables that a stack declares, as code in containers sees them: code servers and runs fetch them from Dagster+ when
they start. Everything is real but Dagster+, which is the embedded one.

The tests of this module follow one stack through its life, in order.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.containers.stand import Containers
from tests.emulated.checkout import Answer, Checkout
from tests.emulated.dagster_api import DagsterApi
from tests.ports import free_port

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

NAME = "vars"
OPEN, HANDED_IN, ENCRYPTED = "REPORT_NAME", "CHAT_TOKEN", "WAREHOUSE_PASSWORD"
ELSEWHERE = "OF_ANOTHER_LOCATION"

# Digests, so that no value gets into the event log by the test itself. An asset's metadata is what its code server saw
# when it loaded the module; that of the materialization, what the run saw.
CODE = """
import hashlib
import os

import dagster as dg

def seen() -> dict[str, str]:
    names = ("REPORT_NAME", "CHAT_TOKEN", "WAREHOUSE_PASSWORD", "OF_ANOTHER_LOCATION")
    return {name: hashlib.sha256(os.environ[name].encode()).hexdigest() for name in names if name in os.environ}

@dg.asset(metadata=seen())
def variables() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata=seen())

defs = dg.Definitions(assets=[variables], jobs=[dg.define_asset_job("look", executor_def=dg.in_process_executor)])
"""
_DEFINED = """query Defined($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { __typename ... on AssetNode {
  metadataEntries { label ... on TextMetadataEntry { text } } } } }"""


class VariablesStack:
    """A checkout whose stack ``vars`` has one location and three variables for it, one from each source."""

    def __init__(self, root: Path, containers: Containers, plugin: str, shared: Path) -> None:
        self.containers = containers
        self.checkout = Checkout(root, port=free_port(), shared=shared)
        self.address = f"{containers.registry}/vars{self.checkout.port}"
        self.file = root / "stacks" / f"Pulumi.{NAME}.yaml"
        self.values = {OPEN: "monthly-report-one", HANDED_IN: _value(), ENCRYPTED: _value()}
        self.file.write_text(self._settings(self.values[OPEN]))
        self.checkout.location("alpha", CODE)
        path = containers.environ["PATH"]
        self._environ = {
            **{name: value for name, value in containers.environ.items() if name.startswith("DOCKER_")},
            "PATH": os.pathsep.join([plugin, path]) if plugin else path,
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(12),  # it is no stack of one person
        }

    def _settings(self, value: str) -> str:
        certificates = self.containers.certificates
        return (
            f"config:\n  hybrid:emulator:\n    port: {self.checkout.port}\n"
            f"  hybrid:registry:\n    address: {self.address}\n"
            f"  hybrid:images:\n    pythonImage: {self.containers.python_image}\n"
            + (f"    certificates: {certificates}\n" if certificates else "")
            + "  hybrid:agent:\n    kind: docker\n"
            f"    socket: {self.containers.environ['DOCKER_HOST'].removeprefix('unix://')}\n"
            f"    registryCredentials: {self.containers.environ['DOCKER_CONFIG']}\n"
            "  hybrid:environmentVariables:\n"
            f"    - {{name: {OPEN}, value: {value}}}\n"
            f"    - {{name: {HANDED_IN}, fromEnvironment: OF_THE_SHELL}}\n"
            f"    - {{name: {ENCRYPTED}, secret: warehouse_password, locations: [alpha]}}\n"
            f"    - {{name: {ELSEWHERE}, value: unseen, locations: [beta]}}\n"
        )

    def hybrid(self, *arguments: str) -> Answer:
        return self.checkout.hybrid(*arguments, timeout=500, **self._environ, OF_THE_SHELL=self.values[HANDED_IN])

    def up(self) -> Answer:
        answer = self.hybrid("up", NAME, "--json")
        assert answer.code == 0, f"`hybrid up {NAME}` ended with {answer.code}:\n{answer.err}"
        return answer

    def rename(self, value: str) -> None:
        """Another value of the open variable in the stack's file."""
        self.file.write_text(self.file.read_text().replace(self.values[OPEN], value))
        self.values[OPEN] = value

    def encrypt(self, value: str) -> None:
        """Set the secret as docs/environment-variables.md says."""
        shell = self.hybrid("env", NAME, "--json").document
        done = subprocess.run(
            ["pulumi", "config", "set", "--secret", "secrets:warehouse_password"],
            cwd=self.checkout.root,
            env={**self.checkout.environment, **self._environ, **shell},
            input=value,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        self.values[ENCRYPTED] = value

    def run(self) -> str:
        """Have a run look at its variables; its id."""
        answer = self.hybrid("run", NAME, "alpha", "look", "--json")
        assert answer.code == 0, answer.err
        return str(answer.document["run_id"])

    @property
    def digests(self) -> dict[str, str]:
        return {name: hashlib.sha256(value.encode()).hexdigest() for name, value in self.values.items()}

    def seen_by_code_server(self) -> dict[str, str]:
        node = DagsterApi(self.checkout, NAME).one(_DEFINED, key={"path": ["variables"]})
        return _ours({entry["label"]: entry.get("text") for entry in node["metadataEntries"]})

    def seen_by_run(self, run_id: str) -> dict[str, str]:
        latest = DagsterApi(self.checkout, NAME).materializations("variables")[0]
        assert latest["runId"] == run_id
        return _ours(latest["metadata"])

    def servers(self) -> set[str]:
        """The ids of the code servers' containers."""
        of_stack = ["--filter", f"network=hybrid-{NAME}", "--filter", "label=dagster_grpc_server"]
        return set(self.containers.run("ps", "--quiet", *of_stack).split())

    def all_containers(self) -> list[str]:
        """All containers on the stack's network, also those of runs that have ended."""
        return self.containers.run("ps", "--all", "--quiet", "--filter", f"network=hybrid-{NAME}").split()

    def log(self, container: str) -> str:
        """Both of a container's streams."""
        done = subprocess.run(
            [str(self.containers.docker), "logs", container],
            env=dict(self.containers.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def holding(self, folder: str, value: str) -> set[str]:
        """The files below a folder of the checkout in which ``value`` stands in plain."""
        root = self.checkout.root / folder
        files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(root)) for path in files if value.encode() in path.read_bytes()}


def _value() -> str:
    return secrets.token_urlsafe(24)


def _ours(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(metadata[name]) for name in (OPEN, HANDED_IN, ENCRYPTED, ELSEWHERE) if name in metadata}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, containers: Containers, docker_plugin_path: str, environments: Path
) -> Iterator[VariablesStack]:
    place = VariablesStack(
        tmp_path_factory.mktemp("variables") / "checkout",
        containers,
        docker_plugin_path,
        environments,
    )
    yield place
    place.hybrid("down", NAME)
    place.checkout.destroy()
    tags = containers.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    if mine := [tag for tag in tags if tag.startswith(f"{place.address}/")]:
        containers.run("image", "rm", "--force", *mine)


def test_a_value_that_is_missing_is_named_with_the_command_that_sets_it(stack: VariablesStack) -> None:
    answer = stack.hybrid("preview", NAME)
    assert answer.code != 0, "the secret has not been set yet"
    assert "pulumi config set --secret secrets:warehouse_password" in answer.err, answer.err
    stack.encrypt(stack.values[ENCRYPTED])
    assert stack.values[ENCRYPTED] not in stack.file.read_text(), "the stack's file has ciphertext"


def test_code_server_and_run_see_the_values_of_all_three_sources(stack: VariablesStack) -> None:
    stack.up()
    assert stack.seen_by_code_server() == stack.digests, "a code server has them before it loads the location's module"
    assert stack.seen_by_run(stack.run()) == stack.digests, "and so has the container of a run; neither has others"


def test_no_container_shows_a_value_to_who_may_inspect_it(stack: VariablesStack) -> None:
    containers = stack.all_containers()
    assert len(containers) >= 3, "the agent's, the code server's and the run's"
    shown = stack.containers.run("inspect", *containers)
    assert "DAGSTER" in shown, "the containers' environment is part of what is shown"
    logs = "".join(stack.log(container) for container in containers)
    assert logs, "something was logged"
    for name, value in stack.values.items():
        assert value not in shown, f"{name} is no part of a container's description: Dagster+ is asked for it"
        assert value not in logs, f"{name} is in a container's log"


def test_secrets_are_on_this_machine_only_where_the_embedded_dagster_plus_keeps_them(stack: VariablesStack) -> None:
    assert stack.holding(".hybrid/state", stack.values[OPEN]), "what the stack's file says openly, state does as well"
    for name in (HANDED_IN, ENCRYPTED):
        assert not stack.holding(".hybrid/state", stack.values[name]), f"{name} stands in plain in Pulumi's state"
        found = stack.holding(f".hybrid/stacks/{NAME}", stack.values[name])
        assert found, "the embedded Dagster+ hands it to code, so it has it"
        assert {Path(path).parts[0] for path in found} == {"emulator"}, f"{name} is in {found}"


def test_an_up_without_a_change_reloads_nothing(stack: VariablesStack) -> None:
    before = stack.servers()
    stack.up()
    assert stack.servers() == before


def test_a_new_value_starts_the_code_server_anew_and_the_next_run_sees_it(stack: VariablesStack) -> None:
    before, digests = stack.servers(), stack.digests
    stack.rename("monthly-report-two")
    stack.encrypt(_value())
    stack.values[HANDED_IN] = _value()
    assert not set(stack.digests.values()) & set(digests.values()), "each of the three is another one now"
    answer = stack.up()
    for name, value in stack.values.items():
        assert value not in answer.err + answer.out, f"{name} was printed"
    assert stack.servers() != before, "a code server reads its variables when it starts, so it has to"
    assert stack.seen_by_code_server() == stack.digests
    assert stack.seen_by_run(stack.run()) == stack.digests
