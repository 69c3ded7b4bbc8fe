"""The stack file of a rehearsal, its place, and what its Dagster+ is made like: nothing of the real one gets there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.emulator.organization.settings import deployment_faults
from hybrid.plus import Scopes
from hybrid.switch.organization_reader import _scopes
from hybrid.switch.rehearsal_place import EmulatedServerless, RehearsalPlace, copy_of_checkout, free_port, place_for
from hybrid.switch.rehearsal_seed import held_settings, scopes_of, seed_document
from hybrid.switch.rehearsal_stack import MADE_UP, RehearsedSettings, rehearsed_settings
from hybrid.workspace import Workspace
from stacks.settings import parse

pytestmark = pytest.mark.unit

URL = "http://127.0.0.1:4600"
ECS: dict[str, Any] = {
    "aws:region": "eu-central-1",
    "secrets:db_password": {"secure": "v1:abc"},
    "hybrid:organization": "acme",
    "hybrid:region": "eu",
    "hybrid:deployment": "prod",
    "hybrid:phase": "prepare",
    "hybrid:agent": {"kind": "ecs", "label": "ours", "cpu": 512, "branchDeployments": True},
    "hybrid:aws": {"account": "111122223333", "region": "eu-central-1"},
    "hybrid:assetValues": {"ioManager": True, "prefix": "assets/prod"},
    "hybrid:pins": {"alpha": f"registry.acme.example/alpha@sha256:{'1' * 64}"},
    "hybrid:environmentVariables": [
        {"name": "DB", "secret": "db_password", "locations": ["alpha"]},
        {"name": "LEVEL", "value": "info", "scopes": {"allBranchDeployments": True}},
    ],
    "hybrid:locations": ["alpha", {"image": "registry.acme.example/other:1", "name": "other", "moduleName": "o"}],
}


def rehearsed(config: dict[str, Any], tmp_path: Path) -> RehearsedSettings:
    return rehearsed_settings(
        config, organization="acme", deployment="prod", url=URL, values=tmp_path / "values", checkout=tmp_path
    )


def test_a_stack_on_ecs_becomes_one_on_this_machine_that_the_settings_take(tmp_path: Path) -> None:
    found = rehearsed(ECS, tmp_path)
    values = {key.removeprefix("hybrid:"): each for key, each in found.config.items()}
    settings = parse(values, stack="prod", source="Pulumi.prod.yaml")
    assert settings.agent.kind == "local"
    assert settings.agent.label == "ours", "what does not depend on the platform is kept"
    assert settings.url == URL, "anything else would be the real organization"
    assert settings.aws is None
    assert settings.phase == "serve", "the switch itself sets the phase"
    assert settings.asset_values.folder == str(tmp_path / "values")
    assert {each.from_environment for each in settings.environment_variables} == {MADE_UP}
    assert settings.environment_variables[0].locations == ("alpha",)
    assert any("other" in each for each in found.differs), "a location that is left out has to be named"
    assert all(key.startswith("hybrid:") for key in found.config), "secrets and regions are none of a rehearsal's"


NAMES = st.sampled_from(["alpha", "db_password", "info", "v1:abc"])


@given(st.sampled_from(["value", "fromEnvironment", "secret"]), st.text("abcdef0123456789", min_size=12, max_size=20))
def test_no_source_of_a_variable_reaches_the_rehearsal(source: str, held: str) -> None:
    config = {"hybrid:environmentVariables": [{"name": "A", source: held}], "secrets:x": {"secure": held}}
    found = rehearsed(config, Path("/nowhere"))
    assert held not in json.dumps(found.config)


def test_without_a_stack_all_locations_are_served_by_a_local_agent(tmp_path: Path) -> None:
    found = rehearsed({}, tmp_path)
    assert "hybrid:locations" not in found.config
    assert found.config["hybrid:url"] == URL
    assert found.differs == ()


def test_a_location_within_the_checkout_is_that_of_the_copy_and_one_outside_is_where_it_is(tmp_path: Path) -> None:
    config = {"hybrid:locations": [{"path": "libs/../other"}, {"path": "../elsewhere"}]}
    found = rehearsed(config, tmp_path).config["hybrid:locations"]
    assert found == [{"path": "other"}, {"path": str(tmp_path.parent / "elsewhere")}]


def place(tmp_path: Path) -> RehearsalPlace:
    root = tmp_path / "real" / ".hybrid" / "rehearsals" / "prod"
    root.mkdir(parents=True, exist_ok=True)
    return RehearsalPlace(root, Workspace(tmp_path / "real"), free_port(), "prod", "acme", "prod")


def test_programs_of_a_rehearsal_get_no_token_and_no_login(tmp_path: Path) -> None:
    secret = {
        "DAGSTER_CLOUD_API_TOKEN": "t", "DAGSTER_CLOUD_ORGANIZATION": "acme", "AWS_SECRET_ACCESS_KEY": "k",
        "AWS_PROFILE": "prod", "PULUMI_ACCESS_TOKEN": "p", "PULUMI_BACKEND_URL": "s3://state", "GITHUB_TOKEN": "g",
        "DATABASE_URL": "d", "SNOWFLAKE_PASSWORD": "s",
    }  # fmt: skip
    given = {**secret, "PATH": "/bin", "HOME": "/home/me", "UV_OFFLINE": "1", "NO_PROXY": "intranet"}
    made = place(tmp_path).environment(given)
    assert not secret.keys() & made.keys()
    assert made["HOME"] == str(place(tmp_path).root / "home"), "logins lie in the home folder"
    assert made["UV_OFFLINE"] == "1"
    assert made["UV_CACHE_DIR"] == "/home/me/.cache/uv", "packages need not be fetched again"
    assert made["NO_PROXY"] == "intranet,127.0.0.1,localhost", "or a proxy would be asked for the rehearsal's Dagster+"


def test_the_copy_has_what_git_would_take_and_only_the_stack_that_is_rehearsed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "stacks").mkdir(parents=True)
    (real / ".venv").mkdir()
    for name, text in {
        ".gitignore": ".hybrid/\n.env\n.venv/\n",
        ".env": "SECRET=1",
        "new.py": "",
        "stacks/Pulumi.prod.yaml": "config: {hybrid:organization: acme}",
        "stacks/Pulumi.other.yaml": "config: {}",
        "stacks/pipeline.yaml": "deploy: []",
    }.items():
        (real / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=real, check=True)
    made = place(tmp_path)
    made.fill({"hybrid:url": URL})
    copy = made.workspace.root
    assert (copy / "new.py").exists(), "what is not committed yet is rehearsed, too"
    assert not (copy / ".env").exists(), "what git ignores may hold secrets"
    assert [each.name for each in (copy / "stacks").iterdir()] == ["Pulumi.prod.yaml"]
    assert "127.0.0.1" in (copy / "stacks/Pulumi.prod.yaml").read_text()
    assert "acme" in (real / "stacks/Pulumi.prod.yaml").read_text(), "the real one is as it was"


def test_without_git_all_but_what_machines_make_is_copied(tmp_path: Path) -> None:
    (tmp_path / "a" / ".hybrid").mkdir(parents=True)
    (tmp_path / "a" / "code.py").write_text("1")
    copy_of_checkout(tmp_path / "a", tmp_path / "b")
    assert [each.name for each in (tmp_path / "b").iterdir()] == ["code.py"]


def test_a_place_ends_what_a_killed_rehearsal_left_and_nothing_else(tmp_path: Path) -> None:
    real = Workspace(tmp_path)
    root = str(real.private / "rehearsals" / "prod")
    sleeping = [sys.executable, "-c", "import time; print(flush=True); time.sleep(300)"]
    started = [
        subprocess.Popen(sleeping, env={**os.environ, "HYBRID_PROCESS": mark}, stdout=subprocess.PIPE)
        for mark in (f"{root}/checkout/x", f"{root}-other/x")
    ]
    try:
        for each in started:
            assert each.stdout is not None
            each.stdout.readline()  # it runs, with its own environment
        with place_for(real, "prod", organization="acme", deployment="prod") as found:
            assert started[0].wait(10) == -9
            assert started[1].poll() is None, "another rehearsal's is left alone"
            assert found.root.is_dir()
        assert not found.root.exists(), "nothing is left of it"
    finally:
        for each in started:
            each.kill()
            each.wait()


def test_settings_hold_every_run_in_the_queue_and_are_still_settings() -> None:
    for settings in (
        None,
        {},
        {"run_queue": {"max_concurrent_runs": 10}},
        {"concurrency": {"runs": {"max_concurrent_runs": 5}}},
        {"concurrency": {"pools": {"default_limit": 2}}},
        {"sso_default_role": "VIEWER"},
    ):
        held = held_settings(settings, may_run=False)
        queue = held.get("run_queue", {}) | held.get("concurrency", {}).get("runs", {})
        assert queue["max_concurrent_runs"] == 0, f"with {settings} code would run"
        assert deployment_faults(held, "SERVERLESS") == [], f"{settings} held is refused"
        assert held_settings(settings, may_run=True) == (settings or {})


@given(st.booleans(), st.booleans(), st.booleans())
def test_scopes_are_read_back_from_the_words_of_an_inspection(full: bool, branches: bool, local: bool) -> None:
    scopes = Scopes(full, branches, None, local)
    assert scopes_of(_scopes(scopes)) == (scopes if full or branches or local else None)


def test_a_document_keeps_what_was_inspected_but_not_how_serverless_runs_it() -> None:
    inspected = {"location_name": "alpha", "image": "i", "pex_metadata": {"pex_tag": "x"}, "git": {"commit_hash": "c"}}
    own = {
        "location_name": "alpha",
        "code_source": {"module_name": "a"},
        "executable_path": "/p",
        "container_context": {},
    }
    assert seed_document(inspected, own) == {
        "location_name": "alpha",
        "git": {"commit_hash": "c"},
        "code_source": {"module_name": "a"},
        "executable_path": "/p",
    }


def test_the_options_are_those_of_the_emulator() -> None:
    from typer.testing import CliRunner

    from hybrid.cli.emulator import app

    said = CliRunner().invoke(app, ["serve", *EmulatedServerless(60, "hidden", values_after_switch=True).options()])
    assert said.exit_code == 2
    assert "--data" in said.output, "only the folder is missing"
