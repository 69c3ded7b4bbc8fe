"""From where a full deployment may be changed: every CI, event and branch against the one that is configured."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from hybrid.forge.ci import CiRun
from hybrid.pipeline.place import Place, RefusedPlace, refuse_deploy, refuse_report

pytestmark = pytest.mark.unit

HEAD = "a" * 40
OTHER = "b" * 40
PUSH = CiRun(provider="github", event="push", repository="acme/data", branch="main", sha=HEAD)
SHELL = CiRun(provider="none", event="other")


def in_ci(
    run: CiRun = PUSH, *, head: str | None = HEAD, branch: str | None = None, changed: tuple[str, ...] = ()
) -> Place:
    return Place(run, head, branch, changed)


def in_shell(
    run: CiRun = SHELL,
    *,
    head: str | None = HEAD,
    branch: str | None = "main",
    changed: tuple[str, ...] = (),
    remote_head: str | None = HEAD,
) -> Place:
    return Place(run, head, branch, changed, remote_head)


def deploys(place: Place, *, branch: str = "main", unpushed: bool = False) -> bool:
    try:
        refuse_deploy(place, branch, unpushed=unpushed)
    except RefusedPlace:
        return False
    return True


ALLOWED = {(provider, event, "main") for provider in ("github", "gitlab") for event in ("push", "manual")}


@pytest.mark.parametrize(
    ("provider", "event", "branch"),
    list(
        product(
            ("github", "gitlab"), ("push", "manual", "schedule", "pull_request", "other"), ("main", "feature/x", None)
        )
    ),
)
def test_in_a_forge_s_ci_only_a_push_or_a_person_on_the_branch_deploys(
    provider: str, event: str, branch: str | None
) -> None:
    run = replace(PUSH, provider=provider, event=event, branch=branch)  # type: ignore[arg-type]
    assert deploys(in_ci(run)) == ((provider, event, branch) in ALLOWED), "everything else is refused"


@pytest.mark.parametrize(
    "run",
    [
        replace(PUSH, pull_request=7),
        replace(PUSH, is_fork=True),
        replace(PUSH, event="pull_request", pull_request=7, base_branch="main"),
        replace(SHELL, provider="circleci", branch="main", pull_request=7),
        replace(SHELL, provider="bitbucket", branch="main", is_fork=True),
    ],
)
def test_a_pull_request_never_deploys_whatever_its_branch_is_called(run: CiRun) -> None:
    for place in (in_ci(run, branch="main"), in_shell(run)):
        with pytest.raises(RefusedPlace, match="pull request") as refused:
            refuse_deploy(place, "main", unpushed=True)
        assert refused.value.exit_code == 2, "a refused place is a wrong call"


@pytest.mark.parametrize("head", [OTHER, None])
def test_a_run_whose_checkout_is_another_commit_deploys_nothing(head: str | None) -> None:
    assert not deploys(in_ci(head=head)), "the run's own commit is what was merged"
    assert not deploys(in_ci(replace(PUSH, sha=None))), "a commit that is not told is not known"


@pytest.mark.parametrize("provider", ["circleci", "jenkins", "buildkite", "azure", "codebuild", "travis", "ci", "none"])
def test_a_ci_that_is_not_told_apart_counts_as_a_plain_shell(provider: str) -> None:
    run = CiRun(provider=provider, event="push", branch="main", sha=HEAD)
    assert not deploys(in_shell(run, branch=None)), "a detached HEAD, as CIs leave it, says nothing of a branch"
    assert not deploys(in_shell(run, branch="feature/x")), "its word that this is main is not taken; git's is"
    assert deploys(in_shell(run)), "git says that it is the branch, at the remote's commit"


@pytest.mark.parametrize(
    ("place", "unpushed", "allowed"),
    [
        (in_shell(), False, True),
        (in_shell(branch="feature"), False, False),
        (in_shell(branch="feature"), True, False),
        (in_shell(branch=None), True, False),
        (in_shell(head=None, branch=None, remote_head=None), True, False),
        (in_shell(remote_head=OTHER), False, False),
        (in_shell(remote_head=OTHER), True, True),
        (in_shell(remote_head=None), False, False),
        (in_shell(remote_head=None), True, True),
        (in_shell(changed=("locations/hello/defs.py",)), False, False),
        (in_shell(changed=("locations/hello/defs.py",)), True, False),
        (in_ci(changed=("stacks/Pulumi.prod.yaml",)), False, False),
        (in_ci(), True, True),
        (in_ci(replace(PUSH, branch="feature")), True, False),
    ],
)
def test_from_a_shell_it_is_the_branch_clean_and_what_the_remote_has(
    place: Place, unpushed: bool, allowed: bool
) -> None:
    assert deploys(place, unpushed=unpushed) == allowed


def test_the_configured_branch_counts_and_not_what_it_is_usually_called() -> None:
    release = replace(PUSH, branch="release")
    assert deploys(in_ci(release), branch="release")
    assert not deploys(in_ci(PUSH), branch="release"), "main is another branch here"


def test_every_refusal_says_what_to_do() -> None:
    places = [in_ci(replace(PUSH, branch="x")), in_ci(replace(PUSH, event="schedule")), in_ci(head=OTHER)]
    places += [in_shell(branch="x"), in_shell(remote_head=None), in_shell(remote_head=OTHER), in_shell(changed=("f",))]
    for place in places:
        with pytest.raises(RefusedPlace) as refused:
            refuse_deploy(place, "main")
        assert refused.value.next_step, f"{refused.value.what} leaves its reader alone"


def test_at_night_the_branch_that_is_checked_out_is_what_is_told_of() -> None:
    night = replace(PUSH, event="schedule", branch="develop", sha=OTHER)
    refuse_report(in_ci(night, branch="main"), "main")  # the default branch is another, the job checked main out
    refuse_report(in_ci(replace(PUSH, event="schedule")), "main")
    for place in (in_ci(night), in_ci(replace(PUSH, pull_request=1), branch="main"), in_shell(branch="feature")):
        with pytest.raises(RefusedPlace):
            refuse_report(place, "main")
