"""State, passphrase and stack file. What Pulumi makes of them is shown by the emulated tier."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hybrid.engine import backend
from hybrid.errors import SettingsError
from hybrid.toolchain import Pulumi
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "local.example.yaml").write_text("config: {}\n")
    return Workspace(tmp_path)


def pulumi(origin: str = "path") -> Pulumi:
    return Pulumi(executable=Path("/p/pulumi"), version="3.259.0", origin=origin, bin_folder=Path("/p"))  # type: ignore[arg-type]


def test_the_first_use_of_the_local_stack_makes_its_file_and_a_private_passphrase(workspace: Workspace) -> None:
    backend.prepare(workspace, "local", {})
    assert workspace.stack_file("local").exists(), "a newcomer writes no file"
    assert stat.S_IMODE(workspace.passphrase.stat().st_mode) == 0o600, "it opens the state's secrets"


def test_a_passphrase_is_made_once(workspace: Workspace) -> None:
    backend.prepare(workspace, "local", {})
    first = workspace.passphrase.read_text()
    backend.prepare(workspace, "local", {})
    assert workspace.passphrase.read_text() == first, "another one could not open the state"


def test_a_salt_of_a_lost_passphrase_is_forgotten(workspace: Workspace) -> None:
    workspace.stack_file("local").write_text("encryptionsalt: v1:lost\nconfig:\n  a: 1\n")
    backend.prepare(workspace, "local", {})
    assert workspace.stack_file("local").read_text() == "config:\n  a: 1\n", "only the salt goes"


def test_a_team_s_stack_without_a_shared_key_is_refused(workspace: Workspace) -> None:
    workspace.stack_file("prod").write_text("config: {}\n")
    with pytest.raises(SettingsError, match="secretsprovider"):
        backend.prepare(workspace, "prod", {})
    assert not workspace.passphrase.exists(), "no personal passphrase may get near a team's stack"


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("secretsprovider: awskms://alias/x\n", {}),
        ("", {"PULUMI_CONFIG_PASSPHRASE": "shared"}),
        ("", {"PULUMI_CONFIG_PASSPHRASE_FILE": "/somewhere"}),
        ("", {"PULUMI_BACKEND_URL": "https://api.example"}),
    ],
    ids=["a key", "a passphrase", "a passphrase's file", "Pulumi Cloud"],
)
def test_a_team_s_stack_with_a_shared_key_is_left_as_it_is(
    workspace: Workspace, text: str, given: dict[str, str]
) -> None:
    file = workspace.stack_file("prod")
    file.write_text(f"{text}encryptionsalt: v1:x\n")
    backend.prepare(workspace, "prod", given)
    assert file.read_text() == f"{text}encryptionsalt: v1:x\n", "a committed file is never edited"
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in backend.variables(workspace, "prod", pulumi(), given)


def test_what_the_person_has_set_wins(workspace: Workspace) -> None:
    values = backend.variables(workspace, "local", pulumi(), {"PULUMI_BACKEND_URL": "s3://x", "PATH": "/usr/bin"})
    assert "PULUMI_BACKEND_URL" not in values
    assert values["PATH"].endswith("/usr/bin"), "their own programs stay in reach"


def test_what_slows_every_process_of_dagster_does_not_reach_the_engine(workspace: Workspace) -> None:
    assert "PYTHONDONTWRITEBYTECODE" not in backend.environment(
        workspace, "local", pulumi(), {"PYTHONDONTWRITEBYTECODE": "1"}
    )


def test_plugins_are_not_looked_for_where_pulumi_s_servers_were_out_of_reach(workspace: Workspace) -> None:
    name = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
    assert name in backend.variables(workspace, "local", pulumi("build"), {}), "each look-up would cost seconds"
    assert name not in backend.variables(workspace, "local", pulumi("path"), {})


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / ".hybrid").write_text("a file where a folder must be")
    with pytest.raises(SettingsError, match="cannot be written"):
        backend.prepare(Workspace(tmp_path), "local", {})
