"""What follows from a repository's files, and that what Dagster+ knows of the same location goes before."""

from __future__ import annotations

from typing import Any

import pytest

from hybrid.switch.finding import Finding, FindingKind, Weight
from hybrid.switch.organization import OrganizationState
from hybrid.switch.repository import FolderAssets, FoundBaseImage, ServerlessWorkflow, Spot, Unread
from hybrid.switch.repository_findings import findings_of_repository
from tests.unit.switch.inspected import DOCKER, PEX, folder, location, organization, repository

pytestmark = pytest.mark.unit

BUILDS = {FindingKind.PEX_BUILD, FindingKind.DOCKER_HOOKS, FindingKind.NO_IMAGE}
BARE: dict[str, Any] = {
    "locations": [],
    "workflows": [],
    "base_images": [],
    "variables": [],
    "libraries": [],
    "isolation": [],
    "assets": [],
}


def found(state: OrganizationState | None = None, **changes: Any) -> list[Finding]:
    return list(findings_of_repository(state, repository(**(BARE | changes))))


def build(state: OrganizationState | None = None, *, builds: tuple[str, ...] = (), **changes: Any) -> Finding | None:
    workflows = [ServerlessWorkflow("w.yml", "github", [1], list(builds))] if builds else []
    one = folder("quick", **changes)
    all_of = [each for each in found(state, locations=[one], workflows=workflows) if each.kind in BUILDS]
    assert len(all_of) <= 1, "a location is built in one way"
    return all_of[0] if all_of else None


def known(document: dict[str, Any], **changes: Any) -> OrganizationState:
    return organization(locations=[location("quick", document, **changes)])


def test_a_python_executable_that_dagster_plus_runs_is_known_with_its_python() -> None:
    one = build(known(PEX), requires_python=">=3.9")
    assert one is not None
    assert (one.kind, one.weight, one.location) == (FindingKind.PEX_BUILD, Weight.MUST, "quick")
    assert one.facts == {
        "folder": "quick",
        "certainty": "known",
        "python_version": "3.11",
        "requirements": "quick/requirements.txt",
    }


def test_without_dagster_plus_a_python_executable_is_likely_unless_the_workflow_builds_images() -> None:
    likely, docker = build(), build(builds=("docker",))
    assert likely is not None
    assert docker is not None
    assert (likely.kind, likely.facts["certainty"]) == (FindingKind.PEX_BUILD, "likely")
    assert docker.kind is FindingKind.NO_IMAGE


def test_hooks_need_a_dockerfile_that_runs_them_unless_there_is_one() -> None:
    hooks = {"pre_hook": "quick/pre.sh", "post_hook": "quick/post.sh"}
    one = build(builds=("docker",), **hooks)
    assert one is not None
    assert one.kind is FindingKind.DOCKER_HOOKS
    assert (one.facts["pre"], one.facts["post"], one.facts["folder"]) == ("quick/pre.sh", "quick/post.sh", "quick")
    assert build(dockerfile="quick/Dockerfile", **hooks) is None, "its own Dockerfile builds it, hooks or not"


def test_hooks_beside_a_python_executable_were_never_run_and_are_said() -> None:
    one = build(known(PEX), pre_hook="quick/pre.sh")
    assert one is not None
    assert (one.kind, one.facts["pre"]) == (FindingKind.PEX_BUILD, "quick/pre.sh")
    assert "never" in one.why


def test_an_image_in_serverless_registry_cannot_stay_and_another_may() -> None:
    mine = build(known(DOCKER), dockerfile="quick/Dockerfile")
    assert mine is not None
    assert (mine.kind, mine.facts["dockerfile"]) == (FindingKind.NO_IMAGE, "quick/Dockerfile")
    assert mine.facts["image"] == DOCKER["image"]
    assert build(known({"image": "ghcr.io/acme/quick:1"}), dockerfile="quick/Dockerfile") is None
    assert build(known({"image": "ghcr.io/acme/quick:1"})) is None, "agents can pull it, wherever it is built"


def test_locations_are_told_without_a_repository_too() -> None:
    kinds = {each.location: each.kind for each in findings_of_repository(organization(), None)}
    assert kinds == {"docker": FindingKind.NO_IMAGE, "quick": FindingKind.PEX_BUILD}
    elsewhere = {each.location: each.kind for each in found(organization())}
    assert elsewhere == kinds, "a repository that has none of them changes nothing about their builds"


def stored(state: OrganizationState | None = None, **assets: Any) -> Finding | None:
    values = {"by_default": 2, "by_own": 0, "unknown": 0, "definitions": "default", "first": Spot("quick/a.py", 5, "a")}
    listed = [FolderAssets("quick", **(values | assets))]
    all_of = found(state, locations=[folder("quick")], assets=listed)
    return next((each for each in all_of if each.kind is FindingKind.DEFAULT_IO_MANAGER), None)


def test_assets_of_the_default_io_manager_are_likely_by_the_files_and_known_by_dagster_plus() -> None:
    likely, certain = stored(), stored(known(PEX, has_own_io_manager=False))
    assert likely is not None
    assert certain is not None
    assert (likely.facts["certainty"], certain.facts["certainty"]) == ("likely", "known")
    assert likely.where == "quick/a.py:5"
    assert likely.weight is certain.weight is Weight.MUST


def test_what_dagster_plus_knows_of_the_io_manager_goes_before_the_files() -> None:
    assert stored(known(PEX, has_own_io_manager=True)) is None
    assert stored(known(PEX, has_own_io_manager=False), definitions="own") is not None
    assert stored(definitions="own") is None


def test_resources_that_cannot_be_read_are_said_to_be_unknown() -> None:
    one = stored(definitions="unknown")
    assert one is not None
    assert (one.facts["certainty"], one.weight) == ("unknown", Weight.SHOULD)


def test_a_location_without_assets_that_store_needs_no_io_manager() -> None:
    assert stored(by_default=0, first=None) is None
    assert stored(known(PEX, assets=0), by_default=2) is None


@pytest.mark.parametrize(
    ("changes", "kind", "weight"),
    [
        ({"executable_path": "/v/bin/python"}, FindingKind.EXECUTABLE_PATH, Weight.SHOULD),
        ({}, FindingKind.LEGACY_FILE, Weight.KNOW),
        ({"names_dagster_cloud": False}, FindingKind.RELEASES, Weight.MUST),
        ({"names_serverless_extra": True}, FindingKind.SERVERLESS_LIBRARY, Weight.SHOULD),
    ],
)
def test_a_folders_own_files_are_looked_at(changes: Any, kind: FindingKind, weight: Weight) -> None:
    (one,) = [each for each in found(locations=[folder("quick", **changes)]) if each.kind is kind]
    assert (one.weight, one.location) == (weight, "quick")


def test_requirements_that_cannot_be_told_are_no_fault() -> None:
    kinds = {each.kind for each in found(locations=[folder("quick", names_dagster_cloud=None)])}
    assert FindingKind.RELEASES not in kinds


def test_workflows_base_images_and_unread_files_are_told_with_their_places() -> None:
    one, image, tag, unread = found(
        workflows=[ServerlessWorkflow("w.yml", "gitlab", [4, 9], ["docker", "pex"])],
        base_images=[FoundBaseImage("w.yml", 5, "acme/b:1", False), FoundBaseImage("w.yml", 6, "sha1", True)],
        unread=[Unread("a.yaml", "line 3: not YAML")],
    )
    assert one.facts == {"file": "w.yml", "provider": "gitlab", "lines": "4, 9", "builds": "docker, pex"}
    assert (image.facts, tag.facts) == ({"image": "acme/b:1"}, {"tag": "sha1"})
    assert (unread.kind, unread.facts, unread.why) == (FindingKind.UNREADABLE, {"file": "a.yaml"}, "line 3: not YAML")


def test_code_is_of_the_location_in_whose_folder_it_lies_and_of_none_that_share_it() -> None:
    spot = Spot("quick/deep/a.py", 7, "DAGSTER_CLOUD_SERVERLESS_REGION")
    locations = [folder("root", folder="."), folder("quick")]
    (one,) = [e for e in found(locations=locations, variables=[spot]) if e.kind is FindingKind.SERVERLESS_VARIABLE]
    assert (one.location, one.facts["folder"], one.where) == ("quick", "quick", "quick/deep/a.py:7")
    shared = [folder("a", folder="."), folder("b", folder=".")]
    (other,) = [e for e in found(locations=shared, variables=[spot]) if e.kind is FindingKind.SERVERLESS_VARIABLE]
    assert (other.location, other.facts["folder"]) == (None, ".")


def test_credentials_that_ecs_gives_too_weigh_less() -> None:
    spots = [Spot("a.py", 1, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), Spot("a.py", 2, "VENVS_ROOT")]
    assert [each.weight for each in found(variables=spots)] == [Weight.SHOULD, Weight.MUST]
