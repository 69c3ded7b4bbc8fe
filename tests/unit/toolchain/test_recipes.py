"""The pinned modules that Pulumi is built from. That they build is proved by the slow build."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybrid.toolchain import MINIMUM_PULUMI, build
from hybrid.toolchain.version import Version

pytestmark = pytest.mark.unit

RECIPES = Path(build.__file__).parent / "recipes"


@pytest.mark.parametrize("name", ["engine", "host", "kubernetes"])
def test_every_module_that_is_required_has_its_hashes(name: str) -> None:
    text = (RECIPES / f"{name}.go.mod").read_text()
    required = re.findall(r"^(?:require |\t)(\S+) (v\S+)", text, flags=re.MULTILINE)
    replaced = dict(re.findall(r"^replace (\S+) => (\S+ v\S+)$", text, flags=re.MULTILINE))
    hashes = (RECIPES / f"{name}.go.sum").read_text()
    assert len(required) > 50, "the parsing of go.mod sees the modules"
    missing = [
        module
        for module, version in required
        if f"{replaced.get(module, f'{module} {version}')}/go.mod h1:" not in hashes
    ]
    assert missing == [], "a module without a hash would be trusted as it comes"


def test_the_engine_says_the_version_that_its_module_has() -> None:
    text = (RECIPES / "engine.go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{build.ENGINE_VERSION}\n" in text, "the label must be what is built"
    assert f"github.com/pulumi/pulumi/sdk/v3 v{build.ENGINE_VERSION} " in text, "engine and SDK are of one release"


def test_what_is_built_is_new_enough_to_be_used() -> None:
    built, oldest = Version.within(build.ENGINE_VERSION), Version.within(MINIMUM_PULUMI)
    assert built is not None
    assert oldest is not None
    assert built >= oldest, "else each command would build it again"


def test_the_go_that_is_needed_is_read_from_the_engines_module() -> None:
    assert f"\ngo {build.needed_go()}\n" in (RECIPES / "engine.go.mod").read_text(), "one source for that version"
