"""Values that Serverless stores for code: the real IO manager, keys, URLs, and who gets at them."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import httpx
import pytest
import requests
from dagster_cloud.serverless.io_manager import ServerlessPresignedURLIOManager
from hypothesis import example, given
from hypothesis import strategies as st
from upath import UPath

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.organization import Organization
from hybrid.emulator.rest.files import MAX_KEY_BYTES, draft_of_body, path_of_key
from hybrid.emulator.serverless.agents import ServerlessAgents
from tests.unit.emulator.serving import Served, served

pytestmark = pytest.mark.unit


def manager(plane: Served, deployment: str = "prod") -> ServerlessPresignedURLIOManager:
    return ServerlessPresignedURLIOManager(plane.url, plane.agent_token, timeout=20, deployment_name=deployment)


def value_url(plane: Served, key: str, method: str = "GET", token: str | None = None) -> httpx.Response:
    asked = {"key": key, "method": method}
    return httpx.get(f"{plane.url}/gen_io_storage_url", params=asked, headers=plane.headers(token or plane.agent_token))


def test_the_real_io_manager_stores_finds_loads_and_deletes(plane: Served) -> None:
    real, path = manager(plane), UPath("asset") / "2024-01-01|a b%20ö"
    assert not real.path_exists(path), "a value is there before it was stored"
    real.dump_to_path(dg.build_output_context(), {"rows": [1, 2]}, path)
    assert real.path_exists(path), "a stored value is not found"
    assert real.load_from_path(dg.build_input_context(), path) == {"rows": [1, 2]}, "another value came back"
    real.unlink(path)
    assert not real.path_exists(path), "a deleted value is still there"


def test_a_value_that_is_not_there_is_404(plane: Served) -> None:
    """The real class means to raise FileNotFoundError then, and stumbles over the name that its context lacks."""
    assert requests.get(value_url(plane, "never").json()["url"], timeout=20).status_code == 404


def test_assets_run_with_the_real_io_manager(plane: Served) -> None:
    @dg.asset
    def first() -> int:
        return 41

    @dg.asset
    def second(first: int) -> int:
        return first + 1

    result = dg.materialize([first, second], resources={"io_manager": manager(plane)})
    assert result.success
    assert result.output_for_node("second") == 42, "the second asset read something else than the first stored"


def test_a_key_and_one_below_it_both_have_a_value(plane: Served) -> None:
    """S3 knows no folders: an asset that gets partitions has both."""
    real = manager(plane)
    for key in ("a", "a/b", "a/@b", "@a", "a/b/c"):
        real.dump_to_path(dg.build_output_context(), key, UPath(key))
    for key in ("a", "a/b", "a/@b", "@a", "a/b/c"):
        assert real.load_from_path(dg.build_input_context(), UPath(key)) == key, f"{key} was overwritten"


def test_deployments_do_not_share_values(plane: Served) -> None:
    plane.organization.deployments.create("second", "SERVERLESS")
    manager(plane).dump_to_path(dg.build_output_context(), 1, UPath("asset"))
    assert not manager(plane, "second").path_exists(UPath("asset")), "another deployment's value is there"


def test_a_url_serves_its_own_method_key_and_time(plane: Served, organization: Organization) -> None:
    read = value_url(plane, "a").json()["url"]
    assert httpx.put(read, content=b"x").status_code == 403, "a URL to read with lets write"
    assert httpx.head(read).status_code == 403, "a URL serves another method than its own"
    assert httpx.get(read.replace("key=a", "key=b")).status_code == 403, "the key is not signed"
    organization.signer._clock = lambda: 4e9
    assert httpx.get(read).status_code == 403, "a URL serves for ever"


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "x" * (MAX_KEY_BYTES + 1), "ö" * 100])
def test_a_key_that_cannot_be_one_is_refused(plane: Served, key: str) -> None:
    answer = value_url(plane, key)
    assert answer.status_code == 400, f"answered with {answer.status_code}"
    assert "key" in answer.json()["message"], "the refusal does not say what is wrong"


@given(st.text(max_size=60))
@example("..")
@example("a/../../b")
@example("/etc/passwd")
def test_no_key_leads_out_of_its_folder_or_to_anothers_place(key: str) -> None:
    folder = Path("/values/prod")
    try:
        path = path_of_key(folder, key)
    except Refusal:
        return
    assert os.path.normpath(path) == str(path), f"{key!r} climbs"
    assert path.is_relative_to(folder), f"{key!r} leads out of the folder"
    assert not folder.joinpath(*path.relative_to(folder).parts[:-1]).name.startswith("@"), "a folder looks like a value"
    assert "\x00" not in str(path), "no file can be named so"


def test_only_agents_of_the_deployment_get_at_values(plane: Served) -> None:
    assert value_url(plane, "a", token=plane.api_token).status_code == 403, "a user's token reads values"
    tokens = plane.organization.tokens
    record, narrow = tokens.create("agent", "of another")
    tokens.withdraw(record.id, "ORGANIZATION", None)
    assert value_url(plane, "a", token=narrow.reveal()).status_code == 403, "an agent of another deployment reads it"


@pytest.mark.parametrize("served_after", [True, False])
def test_after_the_switch_values_are_served_as_the_setting_says(
    plane: Served, organization: Organization, served_after: bool
) -> None:
    organization.serverless = replace(organization.serverless, values_after_switch=served_after)
    with served(organization, plane.data, sys.modules["standin_server"]) as plane:
        organization.deployments.set_agent_type(1, "HYBRID")
        answer = value_url(plane, "a")
        assert (answer.status_code == 200) is served_after, f"answered with {answer.status_code}"
        if not served_after:
            assert "--serverless-values-after-switch" in answer.json()["message"], "it does not say what decides"


def test_a_deployments_values_go_with_it(plane: Served, organization: Organization) -> None:
    agents = ServerlessAgents(organization, plane.data, plane.url)
    second = organization.deployments.create("second", "SERVERLESS")
    manager(plane, "second").dump_to_path(dg.build_output_context(), 1, UPath("asset"))
    organization.deployments.delete(second.id)
    organization.deployments.create("second", "SERVERLESS")
    assert not manager(plane, "second").path_exists(UPath("asset")), "a new deployment has a deleted one's values"
    agents.close()


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    async def stream() -> Any:
        yield b"x"

    monkeypatch.setattr("hybrid.emulator.rest.files._write_all", full)

    async def taken() -> None:
        request: Any = SimpleNamespace(headers={}, stream=stream)
        async with draft_of_body(request, tmp_path):
            pytest.fail("the body was taken")

    with pytest.raises(Refusal) as refused:
        asyncio.run(taken())
    assert refused.value.status == 507, "a full disk is not the client's fault"
    assert not list(tmp_path.iterdir()), "a draft is left on the full disk"
