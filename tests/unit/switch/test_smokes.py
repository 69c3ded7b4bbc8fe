"""Runs that are to show that the switch works are looked at before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.errors import UsageError
from hybrid.switch.smokes import smokes_of
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text("config:\n  hybrid:organization: acme\n")
    folder = tmp_path / "locations" / "alpha"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "alpha"\nversion = "1"\ndependencies = ["dagster-cloud"]\n'
        '[tool.dg.project]\nroot_module = "alpha"\n'
    )
    return Workspace(tmp_path)


def test_a_location_that_the_stack_does_not_serve_is_named_before_anything_is_changed(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match=r"gone:job .* no code location 'gone'") as refused:
        smokes_of(["alpha:job", "gone:job"], workspace, "prod")
    assert "alpha" in (refused.value.next_step or "")


def test_one_that_it_serves_is_taken(workspace: Workspace) -> None:
    (found,) = smokes_of(["alpha:job"], workspace, "prod")
    assert (found.location, found.job) == ("alpha", "job")
