"""Which forge, by what environment and run say, with which token."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from hybrid.errors import SettingsError
from hybrid.forge import facts
from hybrid.redaction import Token, redact

if TYPE_CHECKING:
    from hybrid.forge.ci import CiRun
    from hybrid.forge.forge import Forge

GITHUB_API: Final = "https://api.github.com"
GITLAB_API: Final = "https://gitlab.com/api/v4"
_THIS_MACHINE: Final = {"localhost", "127.0.0.1", "::1"}


def connect(run: CiRun, environ: Mapping[str, str]) -> Forge:
    """See ``hybrid.forge.forge.forge_of``."""
    kind, repository = _hosted(run, environ)
    if kind == "github":
        from hybrid.forge.github import GitHub

        token = _token(environ, ("GITHUB_TOKEN", "GH_TOKEN"))
        if token is None:
            raise SettingsError(
                "There is no token for GitHub.",
                why="GITHUB_TOKEN and GH_TOKEN are not set.",
                next_step="in a workflow give the step `env: GITHUB_TOKEN: ${{ github.token }}`; by hand, "
                "`export GITHUB_TOKEN=$(gh auth token)`.",
            )
        api = _address(environ.get("GITHUB_API_URL") or GITHUB_API, "GITHUB_API_URL")
        return GitHub.of(api, repository, token, environ)
    from hybrid.forge.gitlab import GitLab

    token, job_token = _token(environ, ("GITLAB_TOKEN",)), _token(environ, ("CI_JOB_TOKEN",))
    given = token or job_token
    if given is None:
        raise SettingsError(
            "There is no token for GitLab.",
            why="GITLAB_TOKEN and CI_JOB_TOKEN are not set.",
            next_step="make a project access token with the scope `api` and the role Reporter, and give it to the job "
            "as a masked variable GITLAB_TOKEN.",
        )
    api = _address(environ.get("CI_API_V4_URL") or GITLAB_API, "CI_API_V4_URL")
    return GitLab.of(api, repository, given, environ, is_job_token=token is None)


def _hosted(run: CiRun, environ: Mapping[str, str]) -> tuple[Literal["github", "gitlab"], str]:
    """The forge and the repository. By hand and in other CIs their own variables say it."""
    if run.provider == "github":
        return "github", _named(run.repository, "GITHUB_REPOSITORY")
    if run.provider == "gitlab":
        return "gitlab", _named(run.repository, "CI_PROJECT_PATH")
    # Gitea and Forgejo set GitHub's variables, and their API is another.
    if environ.get("GITHUB_REPOSITORY") and run.provider not in {"gitea", "forgejo"}:
        return "github", _named(facts.repository(environ["GITHUB_REPOSITORY"]), "GITHUB_REPOSITORY")
    if environ.get("CI_PROJECT_PATH"):
        return "gitlab", _named(facts.repository(environ["CI_PROJECT_PATH"]), "CI_PROJECT_PATH")
    where = "a plain shell" if run.provider == "none" else f"the CI `{run.provider}`"
    raise SettingsError(
        "It is not said where the repository is hosted.",
        why=f"This is {where}, neither GitHub Actions nor GitLab CI.",
        next_step="set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN, or CI_PROJECT_PATH=group/name, CI_API_V4_URL and "
        "GITLAB_TOKEN.",
    )


def _named(repository: str | None, variable: str) -> str:
    if repository is None or (variable == "GITHUB_REPOSITORY" and repository.count("/") != 1):
        raise SettingsError(
            "The repository's name is missing.",
            why=f"{variable} is not set, or is not of the form owner/name.",
            next_step=f"set {variable}=owner/name.",
        )
    return repository


def _token(environ: Mapping[str, str], names: tuple[str, ...]) -> Token | None:
    for name in names:
        value = environ.get(name, "").strip()
        if not value:
            continue
        token = Token(value)
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise SettingsError(
                f"{name} is no token.",
                why="It holds characters that no header can carry.",
                next_step="give the token alone, without quotes, spaces or lines around it.",
            )
        return token
    return None


def _address(value: str, variable: str) -> str:
    try:
        parts = urllib.parse.urlsplit(value.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urllib.parse.urlsplit("")
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in _THIS_MACHINE)
    if not host or port == 0 or not is_safe or parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingsError(
            f"{variable} is no address that a token may be sent to.",
            why=f"It says '{redact(facts.one_line(value))}'. What goes over plain http can be read on the way.",
            next_step="give an https address without user, query and fragment, such as https://github.example.com/api/v3.",
        )
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
