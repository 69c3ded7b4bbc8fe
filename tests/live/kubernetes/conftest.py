"""A real cluster, by a context of this machine's kubeconfig: refused before anything runs when it is not said which.

The tests stand a stack up there, in a namespace of its own that ends with them, and register one location in the
deployment that the file names; both bear a name that nothing else has.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.emulated.checkout import Answer, Checkout

_HERE = Path(__file__).parent
CONTEXT: Final = "HYBRID_LIVE_KUBERNETES_CONTEXT"
SETTINGS: Final = "HYBRID_LIVE_KUBERNETES_SETTINGS"
TOKEN: Final = "DAGSTER_CLOUD_API_TOKEN"
STACK: Final = "live"
_SECONDS: Final = 1800.0
_CODE: Final = """
import dagster as dg

@dg.op
def greet(context: dg.OpExecutionContext) -> None:
    context.log.info("hello")

@dg.job(executor_def=dg.in_process_executor)
def greeting() -> None:
    greet()

defs = dg.Definitions(jobs=[greeting])
"""


@pytest.hookimpl(trylast=True)  # after `-m`: whoever does not ask for live tests needs no cluster
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if item.path.is_relative_to(_HERE) and item.get_closest_marker("live")]
    if mine and (missing := missing_for_kubernetes(os.environ)):
        raise pytest.UsageError(f"{missing} Nothing was asked of any cluster.")


def missing_for_kubernetes(environ: Mapping[str, str]) -> str:
    """What the live tests lack; empty when they may run. The context is named so that no other cluster is ever asked,
    whichever is current."""
    for name, what in (
        (CONTEXT, "the context of a cluster that they may change"),
        (SETTINGS, "a file with the further settings of the stack (docs/testing.md)"),
        (TOKEN, "a user token of the organization"),
    ):
        if not environ.get(name):
            return f"The live tests need {what}: {name}."
    if not Path(environ[SETTINGS]).is_file():
        return f"{SETTINGS} names {environ[SETTINGS]}, and there is no such file."
    from hybrid.errors import HybridError
    from hybrid.kubernetes.session import Cluster

    try:
        Cluster(context=environ[CONTEXT]).check_version()
    except HybridError as error:
        return error.sentence()
    return ""


class LiveStack:
    """One that `hybrid up` stands up in the cluster, from a checkout of its own."""

    def __init__(self, root: Path) -> None:
        self.name = f"hybrid-live-{secrets.token_hex(4)}"
        self.location = self.name.replace("-", "_")
        self.checkout = Checkout(root / "checkout")
        self.checkout.location(self.location, _CODE)
        settings = _settings(self.name)
        text = yaml.safe_dump({"config": {f"hybrid:{key}": value for key, value in settings.items()}})
        (self.checkout.root / "stacks" / f"Pulumi.{STACK}.yaml").write_text(text, encoding="utf-8")

    def hybrid(self, command: str, *arguments: str) -> Answer:
        given = {TOKEN: os.environ[TOKEN], "PULUMI_CONFIG_PASSPHRASE": "of a live test"}
        return self.checkout.hybrid(command, STACK, *arguments, timeout=_SECONDS, **given)


def _settings(name: str) -> dict[str, Any]:
    """Those of the file, with the context of the variable, and with names that are this test's alone."""
    given = yaml.safe_load(Path(os.environ[SETTINGS]).read_text(encoding="utf-8")) or {}
    settings = {key.removeprefix("hybrid:"): value for key, value in (given.get("config") or given).items()}
    cluster = {**settings.get("kubernetes", {}), "context": os.environ[CONTEXT], "name": name}
    agent = {**settings.get("agent", {}), "kind": "kubernetes"}
    return {**settings, "agent": agent, "kubernetes": {**cluster, "namespace": {"name": name}}}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """It does not stand yet; what of it stands after the module's tests is taken away."""
    made = LiveStack(tmp_path_factory.mktemp("live-kubernetes"))
    yield made
    gone = made.hybrid("down", "--yes", "--runs", "terminate")
    assert gone.code == 0, f"the stack {made.name} stands in {os.environ[CONTEXT]} still:\n{gone.err}"
