"""Which agent each platform is told to make."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from agent.spec import SPECS
from hybrid.workspace import Workspace
from stacks import platforms
from stacks.identity import StackIdentity
from stacks.settings import parse
from stacks.standby import STANDBY_QUEUE

pytestmark = pytest.mark.unit

NEEDED: dict[str, dict[str, Any]] = {
    "local": {},
    "docker": {"registry": {"address": "x.io/a"}},
    "ecs": {"aws": {"account": "123456789012", "region": "eu-central-1"}},
    "kubernetes": {"registry": {"address": "x.io/a"}, "kubernetes": {"context": "test"}},
    "azure": {"azure": {"subscription": "00000000-1111-2222-3333-444444444444", "location": "westeurope"}},
}


def made_for(kind: str, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> StackIdentity:
    """The identity that the platform of ``kind`` is made with."""
    told: list[StackIdentity] = []
    if kind == "azure":
        pytest.importorskip("pulumi_azure_native", reason="`make azure` installs it")
    name = f"{kind.capitalize()}Platform"
    module = import_module(f"stacks.{kind}")
    if kind == "local":
        monkeypatch.setattr(module, name, lambda who, *_: told.append(who))
    else:
        monkeypatch.setattr(getattr(module, name), "of", lambda who, *_: told.append(who))
    said = {"organization": "acme", "locations": [], "agent": {"kind": kind}, **NEEDED[kind], **settings}
    workspace = Workspace.of_this_checkout()
    platforms.platform_of(StackIdentity.of("a", parse(said, stack="a", source="x"), workspace), workspace, ())
    return told[0]


@pytest.mark.parametrize("kind", SPECS)
def test_an_agent_beside_serverless_takes_no_work_on_any_platform(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = made_for(kind, monkeypatch, phase="standby").settings.agent
    assert (beside.queues.include_default, beside.queues.additional) == (False, (STANDBY_QUEUE,)), (
        "it would fail what it takes from Serverless's queue"
    )
    assert beside.allowed_locations == (), "it would try for minutes to load what only Serverless can"
    for phase in ("prepare", "serve"):
        served = made_for(kind, monkeypatch, phase=phase).settings.agent
        assert served.queues.include_default, "it is the deployment's agent"
        assert served.allowed_locations is None
