"""Which CI this process runs in, and what it was started for.

Nothing here decides anything: who deploys asks ``event``, ``branch`` and ``is_fork``, and stops at what is None. What
an environment does not say for certain is therefore None (a branch, a commit), and a pull request whose origin it does
not say counts as one from a fork.

Sources: GitHub's "Variables reference" and "Events that trigger workflows" and "Webhook events and payloads"
(docs.github.com), GitLab's "Predefined CI/CD variables reference" (docs.gitlab.com/ci/variables).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from hybrid.errors import SettingsError
from hybrid.forge import facts

Event = Literal["pull_request", "push", "schedule", "manual", "other"]

LARGEST_EVENT: Final = 32 * 1024 * 1024
"""Bytes of an event file that are read. GitHub caps a payload at 25 MB."""

_PULL: Final = re.compile(r"refs/pull/(\d+)/(?:merge|head)")
_GITHUB_EVENTS: Final[dict[str, Event]] = {
    "pull_request": "pull_request",
    "pull_request_target": "pull_request",
    "push": "push",
    "schedule": "schedule",
    "workflow_dispatch": "manual",
}
_GITLAB_SOURCES: Final[dict[str, Event]] = {
    "push": "push",
    "webide": "push",
    "schedule": "schedule",
    "web": "manual",
    "chat": "manual",
}


@dataclass(frozen=True)
class CiRun:
    """One run of a CI."""

    provider: str
    """``github`` (Actions), ``gitlab``, another CI by its name (``circleci``, ``bitbucket``, ``jenkins``,
    ``buildkite``, ``azure``, ``travis``, ``codebuild``, ``teamcity``, ``drone``, ``woodpecker``, ``gitea``,
    ``forgejo``), ``ci`` for one that only says that it is one, or ``none``: a plain shell."""
    event: Event
    """What started it. ``other`` includes GitHub's merge queue and whatever cannot be told."""
    repository: str | None = None
    """``owner/name``, or ``group/sub/name``; of a merge request the project that it would be merged into."""
    branch: str | None = None
    """The branch that is built; of a pull request its head branch; of a tag None."""
    base_branch: str | None = None
    """The branch that a pull request would be merged into."""
    pull_request: int | None = None
    """Its number; GitLab's ``iid``."""
    sha: str | None = None
    """The head commit of the pull request (not the merge commit that GitHub checks out), or the built commit."""
    is_fork: bool = False
    """A pull request from another repository, or from one that is not known: it gets no credentials."""
    default_branch: str | None = None
    """The repository's; None where the CI does not say."""
    run_url: str | None = None
    """The page of this run."""
    summary_file: Path | None = None
    """Markdown that is appended here is shown on the run's page (``GITHUB_STEP_SUMMARY``); GitHub only."""

    @classmethod
    def of(cls, environ: Mapping[str, str], event: Mapping[str, Any] | None = None) -> CiRun:
        """The run that ``environ`` tells of; ``event`` is the payload of GitHub's event. Pure."""
        if environ.get("GITHUB_ACTIONS") == "true" and not _is_lookalike(environ):
            return _github(environ, event or {})
        if environ.get("GITLAB_CI") == "true":
            return _gitlab(environ)
        from hybrid.forge.other_ci import other_ci

        return other_ci(environ)

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None) -> CiRun:
        """The run that this process is part of. Raises ``SettingsError`` for an event file that cannot be read."""
        environ = os.environ if environ is None else environ
        return cls.of(environ, event_of(environ))

    @property
    def is_ci(self) -> bool:
        return self.provider != "none"


def event_of(environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The event's payload, from the file that ``GITHUB_EVENT_PATH`` names; None outside of GitHub Actions.

    Raises ``SettingsError``: the file is not there, is too large, or is no JSON object.
    """
    path = environ.get("GITHUB_EVENT_PATH")
    if environ.get("GITHUB_ACTIONS") != "true" or not path:
        return None
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_EVENT + 1)
        event = json.loads(content) if len(content) <= LARGEST_EVENT else None
    except (OSError, ValueError, RecursionError) as error:
        raise _no_event(type(error).__name__) from None
    if not isinstance(event, dict):
        raise _no_event("it is no JSON object, or is too large")
    return event


def _no_event(why: str) -> SettingsError:
    return SettingsError(
        "The event of this run cannot be read.",
        why=f"GITHUB_EVENT_PATH names a file, and it gives no event: {why}.",
        next_step="run the command in a step of GitHub Actions itself, not in a container without its files; "
        "by hand, unset GITHUB_ACTIONS.",
    )


def _is_lookalike(environ: Mapping[str, str]) -> bool:
    """Gitea's and Forgejo's Actions set GitHub's variables too, and have another API."""
    return environ.get("GITEA_ACTIONS") == "true" or environ.get("FORGEJO_ACTIONS") == "true"


def _github(environ: Mapping[str, str], event: Mapping[str, Any]) -> CiRun:
    repository = facts.repository(environ.get("GITHUB_REPOSITORY"))
    server = environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    run_id = facts.text(environ.get("GITHUB_RUN_ID"))
    name = environ.get("GITHUB_EVENT_NAME", "")
    common: dict[str, Any] = {
        "provider": "github",
        "event": _GITHUB_EVENTS.get(name, "other"),
        "repository": repository,
        "default_branch": facts.branch(facts.part(event, "repository", "default_branch")),
        "run_url": facts.address(f"{server}/{repository}/actions/runs/{run_id}") if repository and run_id else None,
        "summary_file": _path(environ.get("GITHUB_STEP_SUMMARY")),
    }
    if common["event"] == "pull_request":
        return CiRun(**common, **_github_pull_request(environ, event))
    if name == "merge_group":
        group = facts.part(event, "merge_group")
        return CiRun(
            **common,
            branch=facts.branch(facts.part(group, "head_ref")) or facts.branch(environ.get("GITHUB_REF")),
            base_branch=facts.branch(facts.part(group, "base_ref")),
            sha=facts.sha(facts.part(group, "head_sha")) or facts.sha(environ.get("GITHUB_SHA")),
        )
    if common["event"] == "push" and event.get("deleted") is True:
        common["event"] = "other"
    # GITHUB_REF, not GITHUB_REF_NAME: a tag may be called like a branch.
    return CiRun(**common, branch=_full_branch(environ.get("GITHUB_REF")), sha=facts.sha(environ.get("GITHUB_SHA")))


def _github_pull_request(environ: Mapping[str, str], event: Mapping[str, Any]) -> dict[str, Any]:
    pull = facts.part(event, "pull_request")
    head, base = facts.part(pull, "head"), facts.part(pull, "base")
    match = _PULL.fullmatch(environ.get("GITHUB_REF", ""))
    # The head's repository is null when a fork was deleted.
    origin, home = facts.part(head, "repo", "full_name"), facts.part(base, "repo", "full_name")
    return {
        "branch": facts.branch(facts.part(head, "ref")) or facts.branch(environ.get("GITHUB_HEAD_REF")),
        "base_branch": facts.branch(facts.part(base, "ref")) or facts.branch(environ.get("GITHUB_BASE_REF")),
        "pull_request": facts.number(facts.part(pull, "number")) or facts.number(match[1] if match else None),
        # GITHUB_SHA would be the merge commit, or the base.
        "sha": facts.sha(facts.part(head, "sha")),
        "is_fork": facts.repository(origin) is None or origin != home,
    }


def _gitlab(environ: Mapping[str, str]) -> CiRun:
    common: dict[str, Any] = {
        "provider": "gitlab",
        "default_branch": facts.branch(environ.get("CI_DEFAULT_BRANCH")),
        "run_url": facts.address(environ.get("CI_PIPELINE_URL")) or facts.address(environ.get("CI_JOB_URL")),
    }
    number = facts.number(environ.get("CI_MERGE_REQUEST_IID"))
    if number is None:
        return CiRun(
            **common,
            # A child or a downstream pipeline does not say what started its parent.
            event=_GITLAB_SOURCES.get(environ.get("CI_PIPELINE_SOURCE", ""), "other"),
            repository=facts.repository(environ.get("CI_PROJECT_PATH")),
            branch=None if environ.get("CI_COMMIT_TAG") else facts.branch(environ.get("CI_COMMIT_BRANCH")),
            sha=facts.sha(environ.get("CI_COMMIT_SHA")),
        )
    home = facts.repository(environ.get("CI_MERGE_REQUEST_PROJECT_PATH"))
    origin = facts.repository(environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"))
    is_detached = environ.get("CI_MERGE_REQUEST_EVENT_TYPE", "detached") == "detached"
    return CiRun(
        **common,
        event="pull_request",
        # The pipeline of a fork's merge request may run in the fork; the merge request lives in the other project.
        repository=home or facts.repository(environ.get("CI_PROJECT_PATH")),
        branch=facts.branch(environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")),
        base_branch=facts.branch(environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")),
        pull_request=number,
        # The source branch's commit is given only where CI_COMMIT_SHA is a merge that GitLab made: merged results
        # pipelines and merge trains.
        sha=facts.sha(environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"))
        or (facts.sha(environ.get("CI_COMMIT_SHA")) if is_detached else None),
        is_fork=home is None or origin != home,
    )


def _full_branch(reference: str | None) -> str | None:
    return facts.branch(reference) if reference and reference.startswith("refs/heads/") else None


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
