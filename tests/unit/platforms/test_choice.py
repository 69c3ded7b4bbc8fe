"""Which module a command is given for a stack: every kind of agent has one, and no other is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.spec import SPECS
from hybrid.engine.stack import Stack, identity
from hybrid.platforms.choice import commands_of
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit

FILES = {
    "local": "config: {}\n",
    "docker": "config:\n  hybrid:agent: {kind: docker}\n  hybrid:registry: {address: x.io/a}\n",
    "ecs": "config:\n  hybrid:organization: acme\n  hybrid:agent: {kind: ecs}\n"
    '  hybrid:aws: {account: "123456789012", region: eu-central-1}\n',
    "kubernetes": "config:\n  hybrid:organization: acme\n  hybrid:agent: {kind: kubernetes}\n"
    "  hybrid:registry: {address: x.io/a}\n  hybrid:kubernetes: {context: test}\n",
    "azure": "config:\n  hybrid:organization: acme\n  hybrid:agent: {kind: azure}\n"
    "  hybrid:azure: {subscription: 00000000-1111-2222-3333-444444444444, location: westeurope}\n",
}
"""The least that a stack of each kind says."""


@pytest.mark.parametrize("kind", SPECS)
def test_every_kind_of_agent_has_its_commands(kind: str, tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.one.yaml").write_text(FILES[kind])
    platform = commands_of(Stack(identity(Workspace(tmp_path), "one"), ()))
    assert type(platform).__module__ == f"hybrid.platforms.{kind}", "one module a platform, named by its kind"
    alone = platform.single is not None
    assert alone != ("replicas" in SPECS[kind].model_fields), "who has replicas says so in its settings, too"
    has_image = platform.agent_image is not None
    assert not has_image or "image" in SPECS[kind].model_fields, "`hybrid agent upgrade` writes hybrid:agent.image"


def test_choosing_imports_no_platform_before_there_is_a_stack_of_it() -> None:
    code = (
        "import sys, hybrid.platforms.choice as _\n"
        "print([name for name in sys.modules if name.startswith('hybrid.platforms.') or name in ('boto3', 'pulumi')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "['hybrid.platforms.choice']", "the SDK of a cloud takes seconds"
