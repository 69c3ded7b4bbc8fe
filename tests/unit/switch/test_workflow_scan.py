"""Workflows that deploy to Serverless: those that Dagster's own tools write, and those that people do."""

from __future__ import annotations

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.switch.workflow_scan import BaseImage, Forge, forge_of, scan_workflow

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("path", "forge"),
    [
        (".github/workflows/deploy.yml", "github"),
        ("sub/.github/workflows/a.yaml", "github"),
        (".github/actions/deploy/action.yml", "github"),
        (".github/dependabot.yml", None),
        (".gitlab-ci.yml", "gitlab"),
        ("ci/deploy.gitlab-ci.yml", "gitlab"),
        (".gitlab/ci/deploy.yml", "gitlab"),
        ("Makefile", "other"),
        ("bin/deploy.sh", "other"),
        (".circleci/config.yml", "other"),
        ("bitbucket-pipelines.yml", "other"),
        ("data.yml", None),
        ("README.md", None),
    ],
)
def test_a_workflow_is_known_by_its_place(path: str, forge: Forge | None) -> None:
    assert forge_of(path) == forge


@pytest.mark.parametrize(
    ("template", "forge"), [("serverless-github-action.yaml", "github"), ("serverless-gitlab-ci.yaml", "gitlab")]
)
def test_what_dg_writes_for_serverless_is_seen_and_its_hybrid_twin_is_not(template: str, forge: Forge) -> None:
    folder = files("dagster_dg_cli") / "templates"
    found = scan_workflow((folder / template).read_text(), forge)
    assert found is not None
    assert found.lines
    twin = template.replace("serverless-", "hybrid-")
    others = [each.name for each in folder.iterdir() if each.name.startswith("hybrid")]
    assert others, "the twins are there, under some name"
    text = (folder / twin).read_text() if twin in others else (folder / others[0]).read_text()
    assert scan_workflow(text, forge) is None


@pytest.mark.parametrize(
    ("line", "builds"),
    [
        ("uses: dagster-io/dagster-cloud-action/actions/serverless_prod_deploy@v1", {"docker"}),
        ("uses: dagster-io/dagster-cloud-action/actions/serverless_branch_deploy@v1", {"docker"}),
        ("uses: ./action-repo/actions/build_deploy_python_executable", {"pex"}),
        ("run: dagster-cloud serverless deploy-python-executable .", {"pex"}),
        ("run: dagster-cloud serverless deploy-docker .", {"docker"}),
        ("run: dagster-cloud serverless deploy", set()),
        ("command: plus deploy build-and-push --agent-type=serverless", set()),
        ("command: plus deploy build-and-push --agent-type serverless", set()),
        ("- /gitlab_action/deploy.py ./dagster_cloud.yaml", set()),
        ("- remote: https://x/dagster-io/dagster-cloud-action/main/gitlab/serverless-ci.yml", set()),
    ],
)
def test_each_way_of_deploying_to_serverless_is_seen_with_how_it_builds(line: str, builds: set[str]) -> None:
    found = scan_workflow(f"name: x\nsteps:\n  {line}\n", "github")
    assert found is not None
    assert (found.lines, found.builds) == ((3,), builds)
    for comment in (f"  # {line}", f"# {line}", f"x: y # {line}"):
        assert scan_workflow(comment, "github") is None, "a comment deploys nothing"


@pytest.mark.parametrize(
    "line",
    [
        "uses: dagster-io/dagster-cloud-action/actions/hybrid_prod_deploy@v1",
        "run: npx serverless deploy",
        "run: dagster-cloud ci deploy",
        "command: plus deploy build-and-push --agent-type=hybrid",
    ],
)
def test_what_is_not_dagster_serverless_is_left_alone(line: str) -> None:
    assert scan_workflow(line, "github") is None


@pytest.mark.parametrize(
    ("setting", "builds"),
    [
        ("ENABLE_FAST_DEPLOYS: 'true'", {"pex"}),
        ('ENABLE_FAST_DEPLOYS: "false"', {"docker"}),
        ("ENABLE_FAST_DEPLOYS=true", {"pex"}),
        ("DISABLE_FAST_DEPLOYS: 1", {"docker"}),
        ("DISABLE_FAST_DEPLOYS:", set()),
        ("ENABLE_FAST_DEPLOYS: ${{ vars.FAST }}", set()),
        ("if: env.ENABLE_FAST_DEPLOYS == 'true'", set()),
    ],
)
def test_how_it_builds_is_told_by_the_setting(setting: str, builds: set[str]) -> None:
    found = scan_workflow(f"{setting}\nrun: dagster-cloud serverless deploy\n", "github")
    assert found is not None
    assert found.builds == builds


@pytest.mark.parametrize(
    ("line", "value", "is_tag"),
    [
        ("SERVERLESS_BASE_IMAGE_TAG: sha256_abc", "sha256_abc", True),
        ("SERVERLESS_BASE_IMAGE: acme/base:1 # ours", "acme/base:1", False),
        ('base_image: "acme/base:1"', "acme/base:1", False),
        ("base_image: ${{ env.BASE }}", "${{ env.BASE }}", False),
        ("run: x --base-image=acme/base:1 --y", "acme/base:1", False),
        ("run: x --base-image-tag 'abc'", "abc", True),
    ],
)
def test_a_base_image_is_seen_with_its_line(line: str, value: str, is_tag: bool) -> None:
    found = scan_workflow(f"run: dagster-cloud serverless deploy\n{line}\n", "github")
    assert found is not None
    assert found.base_images == (BaseImage(2, value, is_tag),)


@pytest.mark.parametrize(
    "line", ['base_image: "python:${{ env.PYTHON_VERSION }}-slim"', "base_image:", "base_image: ''"]
)
def test_the_base_image_that_serverless_takes_by_itself_is_none_of_the_teams(line: str) -> None:
    found = scan_workflow(f"run: dagster-cloud serverless deploy\n{line}\n", "github")
    assert found is not None
    assert found.base_images == ()


@given(st.text(max_size=300))
def test_no_text_ends_it(text: str) -> None:
    scan_workflow(text, "other")
    forge_of(text)


@pytest.mark.timeout(10)
def test_a_line_without_end_is_read_in_bounded_time() -> None:
    scan_workflow("--base-image=" * 200_000 + "$" * 200_000 + "dagster-cloud serverless" * 10_000, "other")
