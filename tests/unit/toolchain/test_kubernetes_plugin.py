"""Pulumi's kubernetes plugin beside a Pulumi that was built. That it compiles is proved by the slow build."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hybrid.errors import ToolchainError
from hybrid.toolchain.kubernetes_plugin import PLUGIN, VERSION, ensure_kubernetes_plugin
from hybrid.toolchain.machine import Answer
from tests.unit.toolchain.conftest import World

pytestmark = pytest.mark.unit

BUILT = '{"origin": "build"}'


def test_a_pulumi_that_can_download_gets_its_plugin_by_itself(world: World) -> None:
    world.kept("3.272.0")

    assert ensure_kubernetes_plugin(world.reports.append, world.machine) is None
    assert world.runner.asked == [], "nothing is built"


def test_the_plugin_is_built_beside_a_pulumi_that_was_built_and_once(world: World) -> None:
    pulumi = world.kept("3.259.0", BUILT)
    world.go()
    seen = {}

    def compiled(command: Sequence[str], folder: Path | None) -> Answer:
        assert folder is not None
        seen.update({file.name: file.read_text() for file in folder.iterdir()})
        Path(command[command.index("-o") + 1]).write_text("compiled")
        return Answer(0, "")

    world.runner.tell("go", "build", answer=compiled)
    plugin = ensure_kubernetes_plugin(world.reports.append, world.machine)

    assert plugin == pulumi.parent / PLUGIN, "Pulumi looks for it on PATH, where its own folder is"
    assert json.loads(seen["schema-embed.json"]) == {"name": "schema", "version": VERSION}
    assert "go:embed schema-embed.json" in seen["main.go"]
    asked = len(world.runner.asked)
    assert ensure_kubernetes_plugin(world.reports.append, world.machine) == plugin
    assert len(world.runner.asked) == asked, "what is there is not built again"


def test_a_build_that_fails_says_gos_words_and_leaves_nothing(world: World) -> None:
    pulumi = world.kept("3.259.0", BUILT)
    world.go()
    world.runner.tell("go", "build", answer=Answer(1, "no space left on device"))

    with pytest.raises(ToolchainError, match="kubernetes plugin") as failed:
        ensure_kubernetes_plugin(world.reports.append, world.machine)

    assert "no space left" in str(failed.value.why)
    assert not list(pulumi.parent.parent.glob(".build*")), "the throw-away folder is gone"
    assert not (pulumi.parent / PLUGIN).exists()
