"""Who can reach what."""

from __future__ import annotations

from typing import Any

import pytest

from policies import public_access
from policies.subjects import UNKNOWN
from tests.unit.policies.made import allow, document, found, found_together, subject

pytestmark = pytest.mark.unit

GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ROLE = "aws:iam/role:Role"
EVERYBODY = public_access.PUBLIC_ACCESS


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3", "1.2.3.4/0"])
def test_no_way_in_is_open_to_the_internet(cidr: str) -> None:
    key = "ipv6CidrBlocks" if ":" in cidr else "cidrBlocks"
    assert found(EVERYBODY, subject(GROUP, ingress=[{"fromPort": 22, "toPort": 22, key: [cidr]}]))
    assert found(EVERYBODY, subject(INGRESS, **{"cidrIpv6" if ":" in cidr else "cidrIpv4": cidr}))
    assert found(EVERYBODY, subject(RULE, type="ingress", **{key: [cidr]}))


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "10.20.0.0/16", "203.0.113.7/32", "fd00::/16", "not an address"])
def test_a_network_may_come_in(cidr: str) -> None:
    key = "ipv6CidrBlocks" if ":" in cidr else "cidrBlocks"
    assert found(EVERYBODY, subject(GROUP, ingress=[{key: [cidr]}]), subject(INGRESS, cidrIpv4=cidr)) == []


def test_ways_out_are_nobody_s_matter() -> None:
    out = [{"cidrBlocks": ["0.0.0.0/0"]}]
    assert found(EVERYBODY, subject(GROUP, egress=out), subject(RULE, type="egress", cidrBlocks=["0.0.0.0/0"])) == []


def test_the_ports_are_said() -> None:
    def said(**rule: Any) -> str:
        return found(EVERYBODY, subject(INGRESS, cidrIpv4="0.0.0.0/0", **rule))[0]

    assert "on port 22." in said(fromPort=22, toPort=22, ipProtocol="tcp")
    assert "on ports 1 to 9." in said(fromPort=1, toPort=9, ipProtocol="tcp")
    assert "on every port." in said(ipProtocol="-1")


@pytest.mark.parametrize("key", ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"])
@pytest.mark.parametrize("value", [False, None])
def test_a_block_with_one_door_open_is_none(key: str, value: Any) -> None:
    whole: dict[str, Any] = dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    kind = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    assert found(EVERYBODY, subject(kind, **whole), subject(kind, **{**whole, key: UNKNOWN})) == []
    assert key in found(EVERYBODY, subject(kind, **{**whole, key: value}))[0], "which one must be said"


@pytest.mark.parametrize("acl", ["public-read", "public-read-write", "authenticated-read"])
@pytest.mark.parametrize("kind", ["aws:s3/bucketAcl:BucketAcl", "aws:s3/bucketAclV2:BucketAclV2"])
def test_a_public_acl_is_refused(acl: str, kind: str) -> None:
    assert found(EVERYBODY, subject(kind, acl=acl)), "under either name of the type"
    assert found(EVERYBODY, subject(kind, acl="private")) == []


def test_the_public_gallery_and_public_databases_are_refused() -> None:
    assert found(EVERYBODY, subject("aws:ecrpublic/repository:Repository"))
    assert found(EVERYBODY, subject("aws:rds/instance:Instance", publiclyAccessible=True))
    assert found(EVERYBODY, subject("aws:rds/instance:Instance")) == []


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::123456789012:root", "*"]}, {"*": "*"}])
def test_a_policy_for_everybody_is_refused(principal: Any) -> None:
    said = document(allow("s3:GetObject", Principal=principal))
    assert found(EVERYBODY, subject(BUCKET_POLICY, policy=said))


@pytest.mark.parametrize("principal", [{"AWS": "arn:aws:iam::123456789012:root"}, {"Service": "ecs.amazonaws.com"}])
def test_a_policy_for_somebody_passes(principal: Any) -> None:
    said = document(allow("s3:GetObject", Principal=principal))
    assert found(EVERYBODY, subject(BUCKET_POLICY, policy=said)) == []


def test_what_everybody_is_denied_passes() -> None:
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    assert found(EVERYBODY, subject(BUCKET_POLICY, policy=document(denied))) == [], "the stack's own bucket says it"


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ({"StringEquals": {"aws:PrincipalOrgID": "o-abc1234567"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:123456789012:*"}}, True),
        ({"StringLike": {"AWS:SourceAccount": "123456789012"}}, True),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, True),
        ({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/0"]}}, False),
        ({"StringLike": {"aws:PrincipalOrgID": "*"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*:*:*:*"}}, False),
        ({"StringNotEquals": {"aws:SourceAccount": "123456789012"}}, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"StringEquals": {"aws:PrincipalOrgID": []}}, False),
    ],
)
def test_only_a_condition_that_says_who_narrows_everybody(condition: dict[str, Any], passes: bool) -> None:
    said = document(allow("sns:Publish", Principal="*", Condition=condition))
    assert (found(EVERYBODY, subject("aws:sns/topicPolicy:TopicPolicy", policy=said)) == []) is passes, f"{condition}"


def trust(
    subjects: Any = None, operator: str = "StringEquals", issuer: str = "token.actions.githubusercontent.com"
) -> str:
    condition: dict[str, Any] = {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"}}
    if subjects is not None:
        condition.setdefault(operator, {})[f"{issuer}:sub"] = subjects
    return document(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
            "Condition": condition,
        }
    )


@pytest.mark.parametrize(
    ("subjects", "operator", "passes"),
    [
        ("repo:acme/data:ref:refs/heads/main", "StringEquals", True),
        (["repo:acme/data:environment:prod", "repo:acme/data:ref:refs/heads/main"], "StringEquals", True),
        ("repo:acme/*", "StringLike", True),
        ("system:serviceaccount:dagster:*", "StringLike", True),
        (None, "StringEquals", False),
        ("*", "StringLike", False),
        ("repo:*", "StringLike", False),
        ("repo:ac*", "StringLike", False),
        (["repo:acme/data:environment:prod", "repo:*"], "StringLike", False),
        ("repo:acme/data:environment:prod", "StringNotEquals", False),
        ("repo:acme/data:environment:prod", "StringEqualsIfExists", False),
    ],
)
def test_a_role_for_ci_says_whose_jobs(subjects: Any, operator: str, passes: bool) -> None:
    said = found(EVERYBODY, subject(ROLE, assumeRolePolicy=trust(subjects, operator)))
    assert (said == []) is passes, "an issuer signs for all of its customers"


def test_a_role_that_everybody_may_take_is_refused() -> None:
    said = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}})
    assert "can be taken by everybody" in found(EVERYBODY, subject(ROLE, assumeRolePolicy=said))[0]


@pytest.mark.parametrize("kind", ["aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"])
def test_every_bucket_has_a_block_of_its_own(kind: str) -> None:
    mine, block = subject(kind, bucket="mine"), "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    assert found_together(public_access.BUCKET_BLOCK, mine), "none"
    assert found_together(public_access.BUCKET_BLOCK, mine, subject(block, bucket="other")), "another bucket's"
    assert found_together(public_access.BUCKET_BLOCK, mine, subject(block, bucket="mine")) == []


def test_a_block_is_known_by_what_it_was_made_from_where_no_name_is_known_yet() -> None:
    from dataclasses import replace

    mine, other = subject("aws:s3/bucket:Bucket", "mine"), subject("aws:s3/bucket:Bucket", "other")
    block = subject("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "block", bucket=UNKNOWN)
    block = replace(block, refers_to={"bucket": frozenset({mine.urn})})
    said = found_together(public_access.BUCKET_BLOCK, mine, other, block)
    assert said == ["Bucket other has no BucketPublicAccessBlock."], "two unknown names are not one"
