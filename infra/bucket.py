"""A private bucket for what a stack stores: encrypted, versioned, reached by TLS only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.keeping import Adoption, OnDestroy, kept
from infra.place import Place
from infra.roles import Role
from infra.statements import Conditions, Statement, policy_text


@dataclass(frozen=True)
class BucketArgs:
    """What a bucket needs."""

    name: str
    """In AWS, where bucket names are one space for all accounts: 3 to 63 of lower-case letters, digits and hyphens.
    Dots are refused: TLS to a bucket with one does not verify."""
    place: Place
    key_arn: pulumi.Input[str] | None = None
    """A KMS key of the account's own; None: keys that S3 manages, which cost nothing."""
    versioned: bool = True
    """Overwritten and deleted objects stay for ``noncurrent_days``. Turned off later, it is suspended."""
    noncurrent_days: int = 30
    expirations: Mapping[str, int] = field(default_factory=dict)
    """Days after which what lies under a prefix is removed; a prefix that is not named here is kept for ever."""
    least_tls: str | None = "1.2"
    """Refuses older clients; None takes every TLS."""
    on_destroy: OnDestroy = "keep"
    """Data outlives the stack unless told. The next ``up`` of a stack of this name takes the bucket up again, when
    ``adopted`` says so: ``infra.standing.bucket`` looks, ``infra.keeping.adoption`` decides."""
    adopted: Adoption | None = None

    def __post_init__(self) -> None:
        refuse_bad_name(self.name)
        for prefix, days in self.expirations.items():
            refuse_bad_prefix(prefix)
            _refuse_no_days(f"The expiry of {prefix}", days)
        _refuse_no_days("How long old versions stay", self.noncurrent_days)

    @property
    def arn(self) -> str:
        """The bucket's ARN, known before it is made."""
        return f"arn:{self.place.partition}:s3:::{self.name}"


class Bucket(pulumi.ComponentResource):
    """A bucket that nobody reaches without being granted it.

    - the bucket, with its encryption, versioning, ownership without ACLs, and a block of all public access
    - a policy that denies everybody what does not come by TLS
    - a lifecycle: unfinished uploads go after 7 days, old versions and the prefixes in ``expirations`` as told
    """

    bucket_name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:Bucket", name, None, opts)
        self._args = args
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=args.name,
            # left out unless it is wanted: an import fails when an input differs from what AWS can tell
            force_destroy=True if args.on_destroy == "remove" else None,
            opts=kept(self, args.on_destroy, args.adopted),
        )
        self._harden(name, bucket)
        versioning = aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=bucket.bucket,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(
                status="Enabled" if args.versioned else "Suspended"
            ),
            opts=kept(self, args.on_destroy),
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.bucket,
            rules=_lifecycle(args),
            opts=kept(self, args.on_destroy, depends_on=[versioning]),
        )
        self.bucket_name = bucket.bucket
        self.arn = bucket.arn
        self.register_outputs({"bucketName": self.bucket_name, "arn": self.arn})

    def grant_read(self, name: str, role: Role, prefix: str) -> aws.iam.RolePolicy:
        """Let ``role`` list and read what lies under ``prefix`` (``assets/``), and nothing else."""
        return self._grant(name, role, prefix, write=False)

    def grant_read_write(self, name: str, role: Role, prefix: str) -> aws.iam.RolePolicy:
        """Let ``role`` list, read, write and delete what lies under ``prefix``, and nothing else."""
        return self._grant(name, role, prefix, write=True)

    def grant_adding(self, name: str, role: Role, prefix: str) -> aws.iam.RolePolicy:
        """Let ``role`` list, read and write what lies under ``prefix``, and delete nothing: of what it writes over, a
        versioned bucket keeps what was there."""
        return self._grant(name, role, prefix, write=True, delete=False)

    def _grant(self, name: str, role: Role, prefix: str, *, write: bool, delete: bool = True) -> aws.iam.RolePolicy:
        refuse_bad_prefix(prefix)
        args = self._args

        def statements(key_arn: str | None = None) -> tuple[Statement, ...]:
            return access_statements(args.arn, prefix, args.place, key_arn, write=write, delete=delete)

        if args.key_arn is None:
            return role.allow(name, statements())
        return role.allow(name, pulumi.Output.from_input(args.key_arn).apply(statements))

    def _harden(self, name: str, bucket: aws.s3.Bucket) -> None:
        args = self._args
        ownership = aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket.bucket,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=kept(self, args.on_destroy),
        )
        block = aws.s3.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            # S3 answers two changes of a bucket's access at the same time with a conflict
            opts=kept(self, args.on_destroy, depends_on=[ownership]),
        )
        aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.bucket,
            policy=policy_text(bucket_statements(args.arn, args.least_tls)),
            opts=kept(self, args.on_destroy, depends_on=[block]),
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[_encryption(args.key_arn)],
            opts=kept(self, args.on_destroy),
        )


def bucket_statements(arn: str, least_tls: str | None = "1.2") -> tuple[Statement, ...]:
    """The bucket's own policy: nothing is allowed by it, and what does not come by TLS is denied."""

    def denied(sid: str, conditions: Conditions, why: str) -> Statement:
        return Statement(
            sid=sid,
            actions=("s3:*",),
            resources=(arn, f"{arn}/*"),
            principals="*",
            conditions=conditions,
            effect="Deny",
            why=why,
        )

    insecure = denied("TlsOnly", {"Bool": {"aws:SecureTransport": "false"}}, "Values never travel in the clear.")
    if least_tls is None:
        return (insecure,)
    old = {"NumericLessThan": {"s3:TlsVersion": least_tls}}
    return insecure, denied("RecentTlsOnly", old, f"Nor by a TLS before {least_tls}.")


def access_statements(
    arn: str, prefix: str, place: Place, key_arn: str | None = None, *, write: bool, delete: bool = True
) -> tuple[Statement, ...]:
    """What a role needs in order to use one prefix; ``delete``: whether who may write may delete, too.

    ``ListBucket`` is fenced by ``s3:prefix``, which S3 also fills with the key of an object that is not there, so that
    readers get a 404 for it and no 403 (https://github.com/ceph/ceph/pull/68577). With and without the slash: Dagster's
    IO manager lists its prefix without one when it starts (dagster_aws/s3/io_manager.py).
    """
    objects = f"{arn}/{prefix}*"
    listing = Statement(
        sid="List",
        actions=("s3:ListBucket",),
        resources=(arn,),
        conditions={"StringLike": {"s3:prefix": (prefix.rstrip("/"), f"{prefix}*")}},
        why=f"Find what lies under {prefix}, and learn of a missing object that it is missing.",
    )
    writing = ("s3:PutObject", *(("s3:DeleteObject",) if delete else ()), "s3:AbortMultipartUpload")
    doing = ("Read, write and delete" if delete else "Read and write") if write else "Read"
    using = Statement(
        sid="ReadAndWrite" if write else "Read",
        actions=("s3:GetObject", *(writing if write else ())),
        resources=(objects,),
        why=f"{doing} what lies under {prefix}.",
    )
    if key_arn is None:
        return listing, using
    decrypting = Statement(
        sid="UseKey",
        # a multipart upload decrypts what it uploaded before
        actions=("kms:Decrypt", "kms:GenerateDataKey") if write else ("kms:Decrypt",),
        resources=(key_arn,),
        conditions={"StringEquals": {"kms:ViaService": place.via("s3")}},
        why="S3 uses the bucket's own key on the reader's behalf, and nobody else does.",
    )
    return listing, using, decrypting


def refuse_bad_name(name: str) -> None:
    """Raises ``SettingsError`` for what cannot be the name of a bucket
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)."""
    reserved = name.startswith(("xn--", "sthree-", "amzn-s3-demo-")) or name.endswith(
        ("-s3alias", "--ol-s3", "--x-s3", "--table-s3")
    )
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", name) or reserved:
        raise SettingsError(
            f"{name!r} is no name of a bucket.",
            why="It has 3 to 63 of lower-case letters, digits and hyphens, begins and ends with a letter or digit, "
            "and none of the beginnings and ends that AWS keeps for itself.",
            next_step="Write another name in `hybrid:aws` → `storage` → `bucket`.",
        )


def refuse_bad_prefix(prefix: str) -> None:
    """Raises ``SettingsError`` for a prefix that would grant more than it says, or nothing."""
    if not re.fullmatch(r"([A-Za-z0-9!_.'()=+@,-]+/)+", prefix):
        raise SettingsError(
            f"{prefix!r} is no prefix that can be granted.",
            why="A prefix ends with a slash and does not begin with one, and has no wildcards: `assets/` does not "
            "reach `assets-of-others/`.",
            next_step="Write it like assets/ or team/assets/.",
        )


def _refuse_no_days(what: str, days: int) -> None:
    if days < 1:
        raise SettingsError(f"{what} is {days} days; it takes 1 or more.", next_step="Write a number of days.")


def _encryption(key_arn: pulumi.Input[str] | None) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgs:
    by_default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="AES256" if key_arn is None else "aws:kms", kms_master_key_id=key_arn
    )
    return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=by_default,
        # one request to KMS for many objects instead of one for each
        bucket_key_enabled=None if key_arn is None else True,
    )


def _lifecycle(args: BucketArgs) -> list[aws.s3.BucketLifecycleConfigurationRuleArgs]:
    whole = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
    unfinished = aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="unfinished-uploads",
        status="Enabled",
        filter=whole,
        abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=7
        ),
    )
    old = aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="old-versions",
        status="Enabled",
        filter=whole,
        noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=args.noncurrent_days
        ),
        # what remains of a deleted object once its versions are gone; else listings get slower for ever
        expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
    )
    return [unfinished, old, *_expiring(args.expirations)]


def _expiring(expirations: Mapping[str, int]) -> Sequence[aws.s3.BucketLifecycleConfigurationRuleArgs]:
    return [
        aws.s3.BucketLifecycleConfigurationRuleArgs(
            id=f"expire-{prefix.rstrip('/').replace('/', '-')}",
            status="Enabled",
            filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=prefix),
            expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
        )
        for prefix, days in sorted(expirations.items())
    ]
