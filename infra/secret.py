"""Secrets in Secrets Manager: one that the stack makes, or one that is there already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.keeping import Adoption, kept
from infra.place import Place
from infra.roles import Role
from infra.statements import Statement, policy_text


@dataclass(frozen=True)
class SecretArgs:
    """What a secret needs."""

    name: str
    """In AWS: 1 to 512 of letters, digits and / _ + = . @ -"""
    description: str
    """For people, in the console. It is no secret."""
    value: pulumi.Input[str]
    """Marked as a secret by the resource's own class, whatever is given; in Pulumi's state as ciphertext only."""
    place: Place
    key_arn: pulumi.Input[str] | None = None
    """A KMS key of the account's own; None: the account's ``aws/secretsmanager``, which costs nothing."""
    recovery_window_days: int = 0
    """0, or 7 to 30: how long AWS keeps a deleted secret. 0 by default: the value comes from the program, which can
    write it again, and AWS gives the name to nobody while it waits, so that the next ``up`` would fail."""
    policy: Sequence[Statement] = ()
    """The secret's own policy, for what the account's rules do not say. Public ones are refused by AWS."""
    adopted: Adoption | None = None
    """One of that name that an interrupted ``up`` left, or that was restored; see ``infra.standing.secret``."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9/_+=.@-]{1,512}", self.name) or re.search(r"-[A-Za-z0-9]{6}$", self.name):
            raise SettingsError(
                f"{self.name!r} is no name for a secret.",
                why="It has 1 to 512 of letters, digits and / _ + = . @ - and does not end with a hyphen and six "
                "characters, as the ARNs that AWS makes do.",
                next_step="Give the stack another name in `hybrid:aws` → `name`.",
            )
        if self.recovery_window_days != 0 and not 7 <= self.recovery_window_days <= 30:
            raise SettingsError(
                f"AWS does not keep a deleted secret for {self.recovery_window_days} days.",
                next_step="Write 0, or 7 to 30.",
            )


class Secret(pulumi.ComponentResource):
    """A secret of Secrets Manager and its value.

    - the secret, its value, and with ``policy`` a policy of its own
    """

    arn: pulumi.Output[str]
    """With the six characters that AWS adds."""
    version_id: pulumi.Output[str]
    """Changes with the value, so that what reads it can be started anew."""

    def __init__(self, name: str, args: SecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:Secret", name, None, opts)
        self._place, self._key_arn = args.place, args.key_arn
        secret = aws.secretsmanager.Secret(
            f"{name}-secret",
            name=args.name,
            description=args.description,
            kms_key_id=args.key_arn,
            recovery_window_in_days=args.recovery_window_days,
            opts=kept(self, "remove", args.adopted),
        )
        value = aws.secretsmanager.SecretVersion(
            f"{name}-value",
            secret_id=secret.arn,
            secret_string=args.value,
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.policy:
            aws.secretsmanager.SecretPolicy(
                f"{name}-policy",
                secret_arn=secret.arn,
                policy=policy_text(args.policy),
                block_public_policy=True,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.arn = after(value, secret.arn)
        self.version_id = value.version_id
        self.register_outputs({"arn": self.arn, "versionId": self.version_id})

    def grant_read(self, name: str, role: Role) -> aws.iam.RolePolicy:
        """Let ``role`` read the value."""
        known = pulumi.Output.all(self.arn, self._key_arn)
        return role.allow(name, known.apply(lambda arns: read_statements([arns[0]], self._place, arns[1])))


@dataclass(frozen=True)
class ExistingSecret:
    """A secret that somebody else made, and that a destroy leaves alone."""

    arn: str
    """Its ARN, or ECS's ``valueFrom`` with a JSON key and version behind it."""
    place: Place
    key_arn: str | None = None
    """The key that encrypts it, unless it is the account's ``aws/secretsmanager``."""

    def __post_init__(self) -> None:
        secret_arn(self.arn)

    def grant_read(self, name: str, role: Role) -> aws.iam.RolePolicy:
        """Let ``role`` read the value."""
        return role.allow(name, read_statements([secret_arn(self.arn)], self.place, self.key_arn))


def grant_read(name: str, role: Role, secrets: Sequence[ExistingSecret]) -> aws.iam.RolePolicy:
    """Let ``role`` read all of these: one policy, since those of a role have a limit together. At least one."""
    if not secrets:
        raise ValueError("a grant on no secret: leave it out")
    arns = list(dict.fromkeys(secret_arn(secret.arn) for secret in secrets))
    keys = sorted({secret.key_arn for secret in secrets if secret.key_arn})
    return role.allow(name, read_statements(arns, secrets[0].place, *keys))


def read_statements(arns: Sequence[str], place: Place, *key_arns: str | None) -> tuple[Statement, ...]:
    """Reading the values of these secrets, and using the keys that are not AWS's own."""
    reading = Statement(
        sid="ReadSecrets",
        actions=("secretsmanager:GetSecretValue",),
        resources=tuple(arns),
        why="Hand these values to what is started, and no others.",
    )
    keys = tuple(arn for arn in key_arns if arn)
    if not keys:
        return (reading,)
    decrypting = Statement(
        sid="DecryptSecrets",
        actions=("kms:Decrypt",),
        resources=keys,
        conditions={"StringEquals": {"kms:ViaService": place.via("secretsmanager")}},
        why="Secrets Manager uses these keys on the reader's behalf, and nobody else does.",
    )
    return reading, decrypting


def secret_arn(value_from: str) -> str:
    """The ARN in what ECS calls ``valueFrom``: without the JSON key, version stage and version id behind it.

    An ARN without the six characters that AWS adds reaches the secret with any
    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen), so that a
    policy on it names six single wildcards. Raises ``SettingsError`` for what is no ARN of a secret.
    """
    found = re.match(r"(arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+)(:[^:]*){0,3}$", value_from)
    if found is None:
        raise SettingsError(
            f"{value_from!r} is no ARN of a secret.",
            next_step="Write it like arn:aws:secretsmanager:eu-central-1:123456789012:secret:name-AbCdEf, as "
            "`aws secretsmanager describe-secret --secret-id NAME` shows it.",
        )
    arn = found.group(1)
    return arn if re.search(r"-[A-Za-z0-9]{6}$", arn) else f"{arn}-??????"


def after(made: pulumi.Resource, output: pulumi.Output[str]) -> pulumi.Output[str]:
    """``output``, for which its users wait until ``made`` is there: what reads a secret finds a value in it. By
    ``apply`` on both it would be unknown in the preview of each new value, and all that names it would seem to change.
    """

    async def resources() -> set[pulumi.Resource]:
        return {*await output.resources(), made}

    async def value() -> str:
        return cast(str, await output.future())

    return pulumi.Output(resources(), value(), output.is_known(), output.is_secret())
