"""Repositories of images in ECR: scanned, with tags that never move, and never emptied of what a tag names."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.keeping import Adoption, OnDestroy, kept
from infra.place import Place
from infra.roles import Role
from infra.statements import Statement, policy_text

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html"""
PUSH = (
    *PULL,  # a push first looks which layers, and whether the tag, are there
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html"""


@dataclass(frozen=True)
class RepositoryArgs:
    """What a repository needs."""

    name: str
    """In ECR: 2 to 256 characters, lower case."""
    place: Place
    key_arn: pulumi.Input[str] | None = None
    """A KMS key of the account's own; None: AES-256 by ECR, which costs nothing. Another key means another repository:
    ECR does not re-encrypt."""
    untagged_days: int = 14
    """Days after which an image without a tag expires. Images with one never do: what runs has one, and
    ``hybrid locations sweep`` removes those that nothing uses. Parts of an image for several platforms have no tag of
    their own, and ECR keeps them as long as the whole
    (https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html)."""
    reader_accounts: tuple[str, ...] = ()
    """Other accounts that may pull. Only then the repository has a policy of its own."""
    on_destroy: OnDestroy = "keep"
    """Images outlive the stack unless told; the next ``up`` takes the repository up again by ``adopted``."""
    adopted: Adoption | None = None

    def __post_init__(self) -> None:
        part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
        if not re.fullmatch(rf"{part}(/{part})*", self.name) or not 2 <= len(self.name) <= 256:
            raise SettingsError(
                f"{self.name!r} is no name of a repository in ECR.",
                why="It has 2 to 256 of lower-case letters and digits, with single . _ - / between them.",
                next_step="Give the location's folder, or the stack in `hybrid:aws` → `name`, a plainer name.",
            )
        if self.untagged_days < 1:
            raise SettingsError(
                f"Images without a tag cannot expire after {self.untagged_days} days.", next_step="Write 1 or more."
            )
        for account in self.reader_accounts:
            Place(account, self.place.region, self.place.partition)

    @property
    def arn(self) -> str:
        """The repository's ARN, known before it is made."""
        return self.place.arn("ecr", f"repository/{self.name}")


class Repository(pulumi.ComponentResource):
    """A repository of ECR.

    - the repository: scan on push, immutable tags, encrypted
    - a lifecycle that expires images without a tag, and no others
    - with ``reader_accounts``, a policy that lets these pull
    """

    url: pulumi.Output[str]
    """Host and name, without a tag."""
    repository_name: pulumi.Output[str]
    arn: str

    def __init__(self, name: str, args: RepositoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:Repository", name, None, opts)
        self.arn = args.arn
        repository = aws.ecr.Repository(
            f"{name}-repository",
            name=args.name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(
                    encryption_type="AES256" if args.key_arn is None else "KMS", kms_key=args.key_arn
                )
            ],
            force_delete=True if args.on_destroy == "remove" else None,
            opts=kept(self, args.on_destroy, args.adopted),
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-lifecycle",
            repository=repository.name,
            policy=lifecycle_text(args.untagged_days),
            opts=kept(self, args.on_destroy),
        )
        if args.reader_accounts:
            aws.ecr.RepositoryPolicy(
                f"{name}-readers",
                repository=repository.name,
                policy=policy_text([reader_statement(args.place, args.reader_accounts)]),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.url = repository.repository_url
        self.repository_name = repository.name
        self.register_outputs({"url": self.url, "repositoryName": self.repository_name, "arn": self.arn})

    def grant_pull(self, name: str, role: Role) -> aws.iam.RolePolicy:
        """Let ``role`` pull from this repository; it needs ``grant_login`` besides, once."""
        return role.allow(name, [pull_statement([self.arn])])

    def grant_push(self, name: str, role: Role) -> aws.iam.RolePolicy:
        """Let ``role`` push to this repository; it needs ``grant_login`` besides, once."""
        return role.allow(name, [push_statement([self.arn])])


def grant_login(name: str, role: Role) -> aws.iam.RolePolicy:
    """Let ``role`` log in to the account's registry, which alone opens no repository. Once for a role."""
    return role.allow(name, [login_statement()])


def grant_pull(name: str, role: Role, repositories: Sequence[Repository]) -> aws.iam.RolePolicy:
    """Log in, and pull from each of these: one policy, since those of a role have a limit together. At least one."""
    return role.allow(name, [login_statement(), pull_statement(_arns(repositories))])


def grant_push(name: str, role: Role, repositories: Sequence[Repository]) -> aws.iam.RolePolicy:
    """Log in, and push to each of these. At least one."""
    return role.allow(name, [login_statement(), push_statement(_arns(repositories))])


def login_statement() -> Statement:
    """The only action of ECR that takes no resource."""
    return Statement(
        sid="LogIn",
        actions=("ecr:GetAuthorizationToken",),
        resources=("*",),
        why="A login of 12 hours; AWS ties it to no repository, and it opens none by itself.",
    )


def pull_statement(arns: Sequence[str]) -> Statement:
    """Pulling from the repositories of these ARNs."""
    return Statement(sid="Pull", actions=PULL, resources=tuple(arns), why="Read the images of these repositories.")


def push_statement(arns: Sequence[str]) -> Statement:
    """Pushing to the repositories of these ARNs. A tag that is there already cannot be moved by it."""
    return Statement(sid="Push", actions=PUSH, resources=tuple(arns), why="Add images to these repositories.")


def reader_statement(place: Place, accounts: Sequence[str]) -> Statement:
    """The statement of a repository's own policy; what it may pull in the other account is that account's matter."""
    return Statement(
        sid="OtherAccountsPull",
        actions=PULL,
        resources=(),
        principals={"AWS": tuple(f"arn:{place.partition}:iam::{account}:root" for account in accounts)},
        why="These accounts run what is built in this one.",
    )


def lifecycle_text(untagged_days: int) -> str:
    """ECR's lifecycle policy: images without a tag go, images with one stay."""
    rule = {
        "rulePriority": 1,
        "description": f"Without a tag for {untagged_days} days",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": untagged_days,
        },
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]}, separators=(",", ":"))


def _arns(repositories: Sequence[Repository]) -> list[str]:
    if not repositories:
        raise ValueError("a grant on no repository: leave it out")
    return [repository.arn for repository in repositories]
