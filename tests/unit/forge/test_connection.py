"""Which forge, with which token: what forge_of makes of a run and an environment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hybrid.errors import SettingsError
from hybrid.forge.ci import CiRun
from hybrid.forge.forge import forge_of
from hybrid.forge.github import GitHub
from hybrid.forge.gitlab import GitLab

pytestmark = pytest.mark.unit

SHELL = CiRun("none", "other")
ACTIONS = CiRun("github", "push", repository="acme/data")
PIPELINE = CiRun("gitlab", "push", repository="acme/platform/data")
GH = {"GITHUB_TOKEN": "ghs_" + "standin4" * 4}
GL = {"GITLAB_TOKEN": "glpat-" + "standin4" * 3}


def test_a_run_of_actions_is_connected_with_its_own_variables(github):
    github.add_pull_request(12)
    run = CiRun.of({**github.environ, "GITHUB_EVENT_NAME": "push"})
    forge = forge_of(run, github.environ)
    assert forge.pull_request(12).number == 12
    assert forge.upsert_comment(12, "<!-- hybrid-review -->", "words").created


def test_a_run_of_gitlab_is_connected_with_its_own_variables(gitlab):
    gitlab.add_pull_request(12)
    forge = forge_of(CiRun.of(gitlab.environ), gitlab.environ)
    assert forge.upsert_comment(12, "<!-- hybrid-review -->", "words").created


def test_the_persons_token_of_gh_is_taken_too():
    assert isinstance(forge_of(ACTIONS, {"GH_TOKEN": GH["GITHUB_TOKEN"], "GITHUB_TOKEN": " "}), GitHub)


@pytest.mark.parametrize(
    ("run", "environ", "kind"),
    [
        (SHELL, {**GH, "GITHUB_REPOSITORY": "acme/data"}, GitHub),
        (SHELL, {**GL, "CI_PROJECT_PATH": "acme/data"}, GitLab),
        (CiRun("circleci", "other", repository="acme/data"), {**GH, "GITHUB_REPOSITORY": "acme/data"}, GitHub),
    ],
    ids=["a shell for GitHub", "a shell for GitLab", "another CI"],
)
def test_cis_work_can_be_done_by_hand(run, environ, kind):
    assert isinstance(forge_of(run, environ), kind)


@pytest.mark.parametrize(
    ("run", "environ", "names"),
    [
        (SHELL, {}, "GITHUB_REPOSITORY"),
        (SHELL, GH, "GITHUB_REPOSITORY"),
        (CiRun("jenkins", "other"), {}, "CI_PROJECT_PATH"),
        (CiRun("gitea", "other"), {**GH, "GITHUB_REPOSITORY": "acme/data"}, "GITHUB_REPOSITORY"),
        (ACTIONS, {}, "GITHUB_TOKEN"),
        (ACTIONS, {"GITHUB_TOKEN": ""}, "GITHUB_TOKEN"),
        (PIPELINE, {}, "GITLAB_TOKEN"),
        (CiRun("github", "push"), GH, "GITHUB_REPOSITORY"),
        (CiRun("github", "push", repository="a/b/c"), GH, "GITHUB_REPOSITORY"),
        (CiRun("gitlab", "push"), GL, "CI_PROJECT_PATH"),
        (SHELL, {**GH, "GITHUB_REPOSITORY": "../x"}, "GITHUB_REPOSITORY"),
    ],
)
def test_what_is_missing_is_named_with_the_variable_to_set(run, environ, names):
    with pytest.raises(SettingsError) as error:
        forge_of(run, environ)
    assert names in (error.value.next_step or "")
    assert error.value.exit_code == 3


@pytest.mark.parametrize(
    "address",
    [
        "http://github.acme.test/api/v3",
        "https://user:hunter22@github.acme.test/api/v3",
        "ftp://github.acme.test",
        "https://",
        "https://github.acme.test/?x=1",
        "https://[",
        "github.acme.test",
    ],
)
def test_a_token_goes_to_no_address_where_it_could_be_read(address):
    with pytest.raises(SettingsError) as error:
        forge_of(ACTIONS, {**GH, "GITHUB_API_URL": address})
    assert "GITHUB_API_URL" in error.value.what
    assert "hunter22" not in error.value.sentence()


@pytest.mark.parametrize("token", ["a b" * 9, "ghp_x\ny" + "0" * 20, "ghp_ü" + "0" * 20])
def test_a_token_that_no_header_can_carry_is_an_error_that_does_not_show_it(token):
    with pytest.raises(SettingsError) as error:
        forge_of(ACTIONS, {"GITHUB_TOKEN": token})
    assert token not in error.value.sentence()


def test_who_only_asks_which_ci_this_is_does_not_wait_for_heavy_imports():
    code = (
        "import sys, hybrid.forge.ci, hybrid.forge.forge\n"
        "print([name for name in ('httpx', 'pydantic', 'tenacity', 'ssl') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
