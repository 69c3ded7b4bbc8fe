"""A role that jobs of one repository's CI take by OpenID Connect, so that no key of AWS is stored there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.roles import Role, RoleArgs
from infra.statements import Statement

GITHUB: Final = "https://token.actions.githubusercontent.com"
GITLAB: Final = "https://gitlab.com"
AUDIENCE: Final = "sts.amazonaws.com"
"""What a job asks its token for; aws-actions/configure-aws-credentials does so, GitLab's job says it by ``aud``."""


@dataclass(frozen=True)
class Subject:
    """Whose jobs: the ``sub`` of their tokens, whole."""

    text: str
    pattern: bool = False
    """Whether ``*`` and ``?`` in it are wildcards. Never by itself: a pattern lets in what it happens to match."""

    @classmethod
    def github(cls, repository: str, *, branch: str | None = None, environment: str | None = None) -> Subject:
        """Jobs of ``repository`` (ORG/REPO) on one branch, or in one environment: exactly one of both
        (https://docs.github.com/actions/reference/security/oidc)."""
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
            raise SettingsError(f"{repository!r} is no GitHub repository.", next_step="Write it like acme/data.")
        if (branch is None) == (environment is None):
            raise SettingsError(
                "Only one of `branch` and `environment` can be given, and one has to be.",
                why="A job in an environment has a token for the environment, and none for its branch.",
                next_step="Give `environment` if the job has one, else `branch`.",
            )
        where = f"environment:{environment.replace(':', '%3A')}" if environment else f"ref:refs/heads/{branch}"
        return cls.exact(f"repo:{repository}:{where}")

    @classmethod
    def gitlab(cls, project: str, *, branch: str) -> Subject:
        """Jobs of ``project`` (GROUP/PROJECT) on one branch
        (https://docs.gitlab.com/ci/cloud_services/#configure-a-conditional-role-with-oidc-claims)."""
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", project, re.ASCII):
            raise SettingsError(f"{project!r} is no GitLab project.", next_step="Write it like acme/data.")
        return cls.exact(f"project_path:{project}:ref_type:branch:ref:{branch}")

    @classmethod
    def exact(cls, text: str) -> Subject:
        """A subject without wildcards. Raises ``SettingsError`` when there are any."""
        if not text or re.search(r"[*?]", text):
            raise SettingsError(
                f"{text!r} has a wildcard, or is nothing.",
                why="Whoever can name a branch or environment that matches could then push images that production "
                "runs.",
                next_step="Name the branch or environment; or say `pattern: true` with the whole subject.",
            )
        return cls(text)


@dataclass(frozen=True)
class CiRoleArgs(RoleArgs):
    """What the role of CI needs besides what every role has."""

    subjects: tuple[Subject, ...] = ()
    """At least one."""
    issuer: str = GITHUB
    """Who signs the tokens, as a URL: ``GITHUB``, ``GITLAB``, or an instance of one's own."""
    audience: str = AUDIENCE
    provider_arn: str | None = None
    """The account's provider for this issuer. An account has one for each, shared by all; None makes it, and then it
    goes with this stack."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.subjects:
            raise SettingsError("A role of CI that nobody may take.", next_step="Name at least one subject.")
        for subject in self.subjects:
            if not subject.pattern:
                Subject.exact(subject.text)
        if not re.fullmatch(r"https://[A-Za-z0-9.-]+(:\d+)?(/[\w./-]*[\w])?", self.issuer):
            raise SettingsError(
                f"{self.issuer!r} is no issuer of tokens.", next_step=f"Write it like {GITHUB}, without a last slash."
            )
        wanted = self.place.global_arn("iam", f"oidc-provider/{self.host}")
        if self.provider_arn not in (None, wanted):
            raise SettingsError(
                f"{self.provider_arn!r} is not the provider of {self.issuer} in account {self.place.account}.",
                next_step=f"Write {wanted}, or leave it out to make it.",
            )

    @property
    def host(self) -> str:
        """How condition keys and ARNs name the issuer."""
        return self.issuer.removeprefix("https://")


class CiRole(Role):
    """A role for CI. What it may do is granted by what it works on: ``infra.repository.grant_push``.

    - the issuer's provider, unless the account has it
    - the role, which only jobs of the named subjects may take, for an hour at a time
    """

    def __init__(self, name: str, args: CiRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:CiRole", name, None, opts)
        provider = args.place.global_arn("iam", f"oidc-provider/{args.host}")
        if args.provider_arn is None:
            aws.iam.OpenIdConnectProvider(
                f"{name}-issuer",
                url=args.issuer,
                client_id_lists=[args.audience],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self._make(name, args, [ci_trust(provider, args.host, args.audience, args.subjects)])
        self.register_outputs({"arn": self.arn, "roleName": self.role_name})


def ci_trust(provider_arn: str, host: str, audience: str, subjects: Sequence[Subject]) -> Statement:
    """Who may take the role of CI."""
    patterns = any(subject.pattern for subject in subjects)
    texts = tuple(subject.text for subject in subjects)
    equals: dict[str, str | Sequence[str]] = {f"{host}:aud": audience}
    conditions: dict[str, dict[str, str | Sequence[str]]] = {"StringEquals": equals}
    if patterns:
        conditions["StringLike"] = {f"{host}:sub": texts}
    else:
        equals[f"{host}:sub"] = texts
    return Statement(
        sid="JobsOfTheseSubjects",
        actions=("sts:AssumeRoleWithWebIdentity",),
        resources=(),
        principals={"Federated": [provider_arn]},
        conditions=conditions,
        why="A job shows a token that the issuer signed for it: no key of AWS is stored in CI.",
    )
