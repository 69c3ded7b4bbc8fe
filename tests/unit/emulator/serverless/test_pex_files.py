"""Python executables: uploaded by the real client, laid out for the agent, and never under a hostile name."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from dagster_cloud_cli.core.pex_builder import pex_registry

from hybrid.emulator.serverless.pex_files import PexFiles, PexMissingError, PexNameError
from tests.unit.emulator.serving import Served

pytestmark = pytest.mark.unit

HOSTILE_NAMES = ["../x.pex", "/etc/passwd", "a/b.pex", ".hidden", "", "a\x00.pex", "x" * 300, "deps-ö.pex", "a\n.pex"]


def test_the_real_client_uploads_a_pex_and_finds_its_cached_details(plane: Served, tmp_path: Path) -> None:
    pex = tmp_path / "deps-0123.pex"
    pex.write_bytes(os.urandom(3_000_000))
    pex_registry.upload_files(plane.url, plane.api_token, [str(pex)])
    assert (tmp_path / "pex" / pex.name).read_bytes() == pex.read_bytes(), "the file is not what was uploaded"
    asked = (plane.url, plane.api_token, "hash", "my tag/ö")
    assert pex_registry.get_cached_deps_details(*asked) is None, "details are there before they were set"
    pex_registry.set_cached_deps_details(*asked, deps_pex_name=pex.name, dagster_version="1.13.27")
    assert pex_registry.get_cached_deps_details(*asked) == {
        "deps_pex_name": pex.name,
        "dagster_version": "1.13.27",
    }, "the details do not come back"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_file_name_gets_no_url(plane: Served, name: str) -> None:
    answer = plane.ask(
        "mutation G($names: [String!]!) { generateServerlessPexUrl(filenames: $names, method: PUT) { url } }",
        names=["deps-1.pex", name],
    )
    assert answer["data"] is None, f"a URL was given for {name!r}"
    assert "cannot be the name of a PEX file" in answer["errors"][0]["message"], "it does not say what is wrong"


def test_a_pex_url_serves_its_own_file_and_method(plane: Served) -> None:
    [url] = pex_registry.get_s3_urls_for_put(plane.url, plane.api_token, ["source-1.pex"]) or [""]
    assert httpx.get(url).status_code == 403, "a URL to write with lets read"
    assert httpx.put(url.replace("source-1", "source-2"), content=b"x").status_code == 403, "the name is not signed"


def test_viewers_get_no_pex_urls_and_agents_in_ci_do(plane: Served) -> None:
    viewer = plane.organization.users.add("viewer@example.com", [("VIEWER", "ORGANIZATION", None)])
    token = plane.organization.tokens.create("user", "viewer", viewer.id)[1].reveal()
    query = 'mutation { generateServerlessPexUrl(filenames: ["deps-1.pex"], method: PUT) { url } }'
    assert "EDITOR" in plane.ask(query, token)["errors"][0]["message"], "a viewer may upload code"
    assert "errors" not in plane.ask(query, plane.agent_token), "`dg plus create ci-api-token` makes agents' tokens"


def test_the_agents_shelf_gets_what_it_lacks_and_loses_nothing_of_the_store(tmp_path: Path) -> None:
    files, shelf = PexFiles(tmp_path), tmp_path / "shelf"
    files.folder.mkdir()
    files.path("deps-1.pex").write_bytes(b"deps")
    files.lay_out(["deps-1.pex"], shelf)
    files.lay_out(["deps-1.pex"], shelf)
    (shelf / "deps-1.pex").unlink()  # as the real registry cleans up
    files.lay_out(["deps-1.pex"], shelf)
    assert (shelf / "deps-1.pex").read_bytes() == b"deps", "what was cleaned up cannot be had again"
    with pytest.raises(PexMissingError, match="never uploaded"):
        files.lay_out(["deps-2.pex"], shelf)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_in_a_locations_tag_stays_off_the_disk(tmp_path: Path, name: str) -> None:
    with pytest.raises(PexNameError):
        PexFiles(tmp_path).lay_out([name], tmp_path / "shelf")
