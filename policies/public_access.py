"""Rules about who can reach what: nothing of a stack is for everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from policies.buckets import BLOCK, without_part
from policies.networks import is_the_internet
from policies.policy_documents import OF_RESOURCES, TRUST, Statement, UnreadablePolicyError, granted, required
from policies.rule import ResourceRule, StackRule
from policies.subjects import Subject, Unknown, listed, mapping, texts

_BLOCKS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_PUBLIC_ACLS: Final = frozenset({"public-read", "public-read-write", "authenticated-read"})

# Keys that narrow "everybody" to somebody, as S3 understands it
# (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html).
_FENCES: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
    }
)
_NO_TEXT: Final = re.compile(r"(?:arn|aws|[*?:/])*")
_WHOLE_SUBJECT: Final = re.compile(r"[^*?]+|[^*?:/]+(?:[:/][^*?:/]+)+[:/].*", re.DOTALL)

# Of a security group's inline rules, and of the two kinds of rules that are resources.
_CIDRS: Final = ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
_GROUPS: Final = frozenset({"aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"})
_GROUP_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
_INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def _open(subject: Subject) -> Iterator[str]:
    yield from _ways_in(subject)
    yield from _by_policy(subject)
    said = subject.properties
    match subject.kind:
        case "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":
            off = [key for key in _BLOCKS if not isinstance(said.get(key), Unknown) and said.get(key) is not True]
            if off:
                yield f"{subject} leaves a door open: {', '.join(off)} must be true."
        case "aws:s3/bucketAcl:BucketAcl" | "aws:s3/bucket:Bucket":
            yield from (f"{subject} has the ACL {acl}." for acl in texts(said.get("acl")) if acl in _PUBLIC_ACLS)
        case "aws:ecrpublic/repository:Repository":
            yield f"{subject} is a repository of ECR's public gallery: everybody can pull from it."
        case "aws:rds/instance:Instance" | "aws:rds/clusterInstance:ClusterInstance":
            if said.get("publiclyAccessible") is True:
                yield f"{subject} has an address in the internet (publiclyAccessible)."


def _ways_in(subject: Subject) -> Iterator[str]:
    said = subject.properties
    rules: Sequence[Any] = ()
    if subject.kind in _GROUPS:
        rules = listed(said.get("ingress"))
    elif subject.kind == _INGRESS_RULE or (subject.kind == _GROUP_RULE and said.get("type") == "ingress"):
        rules = (said,)
    for rule in rules:
        for cidr in (each for key in _CIDRS for each in texts(mapping(rule).get(key))):
            if is_the_internet(cidr):
                yield f"{subject} lets everybody in ({cidr}) on {_ports(mapping(rule))}."


def _ports(rule: Mapping[str, Any]) -> str:
    first, last = rule.get("fromPort"), rule.get("toPort")
    if str(rule.get("ipProtocol", rule.get("protocol"))) == "-1" or first is None:
        return "every port"
    return f"port {first:g}" if first == last and isinstance(first, int | float) else f"ports {first} to {last}"


def _by_policy(subject: Subject) -> Iterator[str]:
    """A policy that cannot be read is ``iam-star-actions``' matter."""
    try:
        opened = [statement for statement in granted(subject, OF_RESOURCES) if _is_for_everybody(statement)]
        taken = [statement for statement in granted(subject, TRUST) if _is_for_everybody(statement)]
        by_token = [statement for statement in granted(subject, TRUST) if _is_for_every_job(statement)]
    except UnreadablePolicyError:
        return
    for statement in opened:
        yield f"{subject} opens its resource to everybody in its {statement.label}."
    for statement in taken:
        yield f"{subject} can be taken by everybody, by its {statement.label}."
    for statement in by_token:
        yield (
            f"{subject} can be taken by a job of anybody who uses the same issuer of tokens: its {statement.label} "
            "does not say whose (`:sub`)."
        )


def _is_for_everybody(statement: Statement) -> bool:
    everybody = "*" in statement.principals.get("AWS", ()) or "*" in statement.principals.get("*", ())
    return everybody and not any(_narrows(key, values) for key, values in required(statement).items())


def _narrows(key: str, values: Sequence[str]) -> bool:
    if key not in _FENCES or not values:
        return False
    if key == "aws:sourceip":
        return not any(map(is_the_internet, values))
    return not any(_NO_TEXT.fullmatch(value) for value in values)


def _is_for_every_job(statement: Statement) -> bool:
    """Whether a role that is taken by OpenID Connect is taken by any job of the issuer: GitHub's and GitLab's issuers
    sign for all of their customers."""
    if "sts:assumerolewithwebidentity" not in {action.lower() for action in statement.actions}:
        return False
    subjects = [values for key, values in required(statement).items() if key.endswith(":sub")]
    return not any(values and all(map(_WHOLE_SUBJECT.fullmatch, values)) for values in subjects)


def _unblocked(stack: Sequence[Subject]) -> Iterator[tuple[Subject, str]]:
    for bucket in without_part(stack, BLOCK):
        yield bucket, f"{bucket} has no BucketPublicAccessBlock."


PUBLIC_ACCESS: Final = ResourceRule(
    name="public-access",
    level="mandatory",
    reason="What everybody can reach is tried by everybody, and nothing of an agent or of its data is for everybody.",
    todo="name who may: a security group or network, an account or organization, a repository and branch.",
    looks_at="Ways into security groups from networks wider than /8 (IPv4) or /16 (IPv6); the four switches of "
    "BucketPublicAccessBlock; public ACLs; repositories of ECR's public gallery; databases with an address in the "
    "internet; policies of buckets, repositories, topics, queues, keys, secrets and file systems that allow principal "
    "`*` with no condition on account, organization, network or source; roles that `*`, or every job of an OpenID "
    "Connect issuer, may take. Ways out are not looked at: agents have to reach Dagster+.",
    judges={
        **dict.fromkeys(sorted(_GROUPS), ("ingress",)),
        _GROUP_RULE: ("cidrBlocks", "ipv6CidrBlocks"),
        _INGRESS_RULE: ("cidrIpv4", "cidrIpv6"),
        "aws:ecrpublic/repository:Repository": (),
        "aws:rds/clusterInstance:ClusterInstance": ("publiclyAccessible",),
        "aws:rds/instance:Instance": ("publiclyAccessible",),
        "aws:s3/bucketAcl:BucketAcl": ("acl",),
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _BLOCKS,
        **OF_RESOURCES,
        "aws:s3/bucket:Bucket": ("acl", "policy"),
        **TRUST,
    },
    check=_open,
)

BUCKET_BLOCK: Final = StackRule(
    name="bucket-public-access",
    level="mandatory",
    reason="Without the block, one policy or ACL that somebody adds by hand publishes the bucket.",
    todo="give it a BucketPublicAccessBlock, or make it with infra.bucket.Bucket, which has one.",
    looks_at="Every bucket: that a BucketPublicAccessBlock of the same stack names it.",
    check=_unblocked,
)
