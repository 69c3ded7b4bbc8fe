"""CIs that are neither GitHub Actions nor GitLab CI, by the variables that they set.

Enough to review a change there, and to know that it is a pull request. What started a run is said only where the CI
says so: for the others ``event`` is ``other``, also on the main branch.

The names are those of each CI's own page of variables: CircleCI "Project values and variables", Bitbucket "Variables
and secrets", Travis "Environment variables", Buildkite "Environment variables", Azure "Use predefined variables",
CodeBuild "Environment variables in build environments", TeamCity "Predefined build parameters", Drone "Reference",
Woodpecker "Environment variables", Jenkins' of multibranch jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hybrid.forge import facts
from hybrid.forge.ci import CiRun, Event


@dataclass(frozen=True)
class Names:
    """The names of the variables in which a CI says something; several are tried in turn."""

    branch: tuple[str, ...] = ()
    """Of what is built; of a pull request only where ``head`` has none."""
    head: tuple[str, ...] = ()
    """A pull request's own branch."""
    base: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    """A number, or an address that ends with one; anything else says that it is no pull request."""
    sha: tuple[str, ...] = ()
    """The commit that is built; of a pull request its head."""
    head_sha: tuple[str, ...] | None = None
    """Of a pull request, where ``sha`` would be a merge commit; empty: it is not said."""
    tag: tuple[str, ...] = ()
    """Not empty when a tag is built: then no branch is."""
    default_branch: tuple[str, ...] = ()
    run_url: tuple[str, ...] = ()
    cause: tuple[str, ...] = ()
    """What started the run, in the words of ``_CAUSES``."""


_CAUSES: Final[dict[str, Event]] = {
    "push": "push",
    "webhook": "push",
    "individualci": "push",
    "batchedci": "push",
    "cron": "schedule",
    "schedule": "schedule",
    "ui": "manual",
    "manual": "manual",
}

NAMES: Final[dict[str, Names]] = {
    "circleci": Names(
        branch=("CIRCLE_BRANCH",),
        number=("CIRCLE_PULL_REQUEST", "CIRCLE_PR_NUMBER"),
        sha=("CIRCLE_SHA1",),
        tag=("CIRCLE_TAG",),
        run_url=("CIRCLE_BUILD_URL",),
    ),
    "bitbucket": Names(
        branch=("BITBUCKET_BRANCH",),
        base=("BITBUCKET_PR_DESTINATION_BRANCH",),
        number=("BITBUCKET_PR_ID",),
        sha=("BITBUCKET_COMMIT",),
        tag=("BITBUCKET_TAG",),
    ),
    "travis": Names(
        branch=("TRAVIS_BRANCH",),
        head=("TRAVIS_PULL_REQUEST_BRANCH",),
        number=("TRAVIS_PULL_REQUEST",),
        sha=("TRAVIS_COMMIT",),
        head_sha=("TRAVIS_PULL_REQUEST_SHA",),
        tag=("TRAVIS_TAG",),
        run_url=("TRAVIS_BUILD_WEB_URL",),
        cause=("TRAVIS_EVENT_TYPE",),
    ),
    "buildkite": Names(
        branch=("BUILDKITE_BRANCH",),
        base=("BUILDKITE_PULL_REQUEST_BASE_BRANCH",),
        number=("BUILDKITE_PULL_REQUEST",),
        sha=("BUILDKITE_COMMIT",),
        tag=("BUILDKITE_TAG",),
        default_branch=("BUILDKITE_PIPELINE_DEFAULT_BRANCH",),
        run_url=("BUILDKITE_BUILD_URL",),
        cause=("BUILDKITE_SOURCE",),
    ),
    "azure": Names(
        branch=("BUILD_SOURCEBRANCH",),
        head=("SYSTEM_PULLREQUEST_SOURCEBRANCH",),
        base=("SYSTEM_PULLREQUEST_TARGETBRANCH",),
        number=("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
        sha=("BUILD_SOURCEVERSION",),
        head_sha=("SYSTEM_PULLREQUEST_SOURCECOMMITID",),
        cause=("BUILD_REASON",),
    ),
    "codebuild": Names(
        branch=("CODEBUILD_WEBHOOK_HEAD_REF",),
        base=("CODEBUILD_WEBHOOK_BASE_REF",),
        sha=("CODEBUILD_RESOLVED_SOURCE_VERSION",),
        run_url=("CODEBUILD_BUILD_URL",),
    ),
    "teamcity": Names(sha=("BUILD_VCS_NUMBER",)),
    "woodpecker": Names(
        branch=("CI_COMMIT_BRANCH",),
        head=("CI_COMMIT_SOURCE_BRANCH",),
        base=("CI_COMMIT_TARGET_BRANCH",),
        number=("CI_COMMIT_PULL_REQUEST",),
        sha=("CI_COMMIT_SHA",),
        tag=("CI_COMMIT_TAG",),
        default_branch=("CI_REPO_DEFAULT_BRANCH",),
        run_url=("CI_PIPELINE_URL",),
        cause=("CI_PIPELINE_EVENT",),
    ),
    "drone": Names(
        branch=("DRONE_BRANCH",),
        head=("DRONE_SOURCE_BRANCH",),
        base=("DRONE_TARGET_BRANCH",),
        number=("DRONE_PULL_REQUEST",),
        sha=("DRONE_COMMIT_SHA",),
        tag=("DRONE_TAG",),
        default_branch=("DRONE_REPO_BRANCH",),
        run_url=("DRONE_BUILD_LINK",),
        cause=("DRONE_BUILD_EVENT",),
    ),
    "jenkins": Names(
        branch=("BRANCH_NAME", "GIT_LOCAL_BRANCH"),
        head=("CHANGE_BRANCH",),
        base=("CHANGE_TARGET",),
        number=("CHANGE_ID",),
        sha=("GIT_COMMIT",),
        head_sha=(),  # GIT_COMMIT may be a merge that Jenkins made
        tag=("TAG_NAME",),
        run_url=("RUN_DISPLAY_URL", "BUILD_URL"),
    ),
    # These speak GitHub's words and have another API; nobody's deploy is started by a resemblance.
    "gitea": Names(),
    "forgejo": Names(),
    "ci": Names(),
}


def other_ci(environ: Mapping[str, str]) -> CiRun:
    """The run of a CI that is neither GitHub's nor GitLab's, or of none."""
    provider = _provider(environ)
    if provider == "none":
        return CiRun(provider="none", event="other")
    names = NAMES[provider]
    number = _number(_first(environ, names.number))
    is_pull_request = number is not None or environ.get("CODEBUILD_WEBHOOK_EVENT", "").startswith("PULL_REQUEST")
    branch = None if _first(environ, names.tag) else facts.branch(_first(environ, names.branch))
    sha = facts.sha(_first(environ, names.sha))
    if is_pull_request:
        branch = facts.branch(_first(environ, names.head)) if names.head else branch
        sha = sha if names.head_sha is None else facts.sha(_first(environ, names.head_sha))
    return CiRun(
        provider=provider,
        event="pull_request" if is_pull_request else _event(environ, names),
        repository=_repository(provider, environ),
        branch=branch,
        base_branch=facts.branch(_first(environ, names.base)) if is_pull_request else None,
        pull_request=number,
        sha=sha,
        is_fork=is_pull_request and _is_fork(provider, environ),
        default_branch=facts.branch(_first(environ, names.default_branch)),
        run_url=facts.address(_first(environ, names.run_url)),
    )


def _provider(environ: Mapping[str, str]) -> str:
    ci = environ.get("CI", "").lower()
    told = {
        "gitea": environ.get("GITEA_ACTIONS") == "true",
        "forgejo": environ.get("FORGEJO_ACTIONS") == "true",
        "circleci": environ.get("CIRCLECI") == "true",
        "bitbucket": "BITBUCKET_BUILD_NUMBER" in environ,
        "travis": environ.get("TRAVIS") == "true",
        "buildkite": environ.get("BUILDKITE") == "true",
        "azure": environ.get("TF_BUILD", "").lower() == "true",
        "codebuild": "CODEBUILD_BUILD_ID" in environ,
        "teamcity": "TEAMCITY_VERSION" in environ,
        # Woodpecker grew out of Drone.
        "woodpecker": ci == "woodpecker",
        "drone": environ.get("DRONE") == "true",
        "jenkins": "JENKINS_URL" in environ,
        "ci": ci not in {"", "0", "false", "no"},
    }
    return next((name for name, is_it in told.items() if is_it), "none")


def _event(environ: Mapping[str, str], names: Names) -> Event:
    # A pull request whose number has no shape of one is not a push.
    return _CAUSES.get((_first(environ, names.cause) or "").lower(), "other")


def _repository(provider: str, environ: Mapping[str, str]) -> str | None:
    plain = {
        "bitbucket": "BITBUCKET_REPO_FULL_NAME",
        "travis": "TRAVIS_REPO_SLUG",
        "woodpecker": "CI_REPO",
        "drone": "DRONE_REPO",
        "azure": "BUILD_REPOSITORY_NAME",
    }.get(provider)
    if plain:
        return facts.repository(environ.get(plain))
    if provider == "circleci":
        return facts.repository(f"{environ.get('CIRCLE_PROJECT_USERNAME')}/{environ.get('CIRCLE_PROJECT_REPONAME')}")
    return None


def _is_fork(provider: str, environ: Mapping[str, str]) -> bool:
    """Whether the commits come from elsewhere; true where the CI does not say."""
    get = environ.get
    match provider:
        case "bitbucket":
            return False  # pipelines run in the repository of the pull request's own branch
        case "circleci":
            return "CIRCLE_PR_REPONAME" in environ  # set for forks alone
        case "jenkins":
            return "CHANGE_FORK" in environ  # likewise
        case "azure":
            return get("SYSTEM_PULLREQUEST_ISFORK", "").lower() != "false"
        case "travis":
            return not get("TRAVIS_REPO_SLUG") or get("TRAVIS_PULL_REQUEST_SLUG") != get("TRAVIS_REPO_SLUG")
        case "buildkite":
            return not get("BUILDKITE_REPO") or _place(get("BUILDKITE_PULL_REQUEST_REPO")) != _place(
                get("BUILDKITE_REPO")
            )
        case _:
            return True


def _place(address: str | None) -> str:
    """A repository's host and path, however its address is written: git@host:a/b.git and https://host/a/b are one."""
    rest = (address or "").split("://")[-1].split("@")[-1].replace(":", "/", 1)
    return rest.removesuffix("/").removesuffix(".git").lower()


def _number(value: str | None) -> int | None:
    return facts.number((value or "").rstrip("/").rpartition("/")[2])


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)
