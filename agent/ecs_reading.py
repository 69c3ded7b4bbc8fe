"""What the roles of CI that only read may do, statement by statement, each with its reason: the one that previews a
pull request, and the one that looks for drift. docs/iam.md is made from this.

Which calls those make was recorded from Pulumi's engine (tests/aws/test_ecs_reading.py) and read in ``infra.standing``,
``infra.adopted_network`` and ``hybrid.provider``.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.ecs_read_scope import ReadScope
from agent.ecs_refreshing import refresh_statements
from infra.statements import Conditions, Statement

__all__ = ["ReadScope", "drift_statements", "review_statements"]


def review_statements(scope: ReadScope) -> tuple[Statement, ...]:
    """Of the role that previews a pull request. It is in the hands of whoever may open one: no statement gives the
    value of a secret or an object of the stack's bucket, and what would is denied, so that no policy that is attached
    later gives it either."""
    return (_look_for_the_stack(scope), *_previewing(scope), *_state(scope), *_denied(scope))


def drift_statements(scope: ReadScope) -> tuple[Statement, ...]:
    """Of the role that compares what stands with the state. Only code of the configured branch has it, so it may read
    the token that is in the state too."""
    return (*_previewing(scope), *_state(scope), *refresh_statements(scope), *_comparing_secrets(scope))


def _look_for_the_stack(scope: ReadScope) -> Statement:
    return Statement(
        sid="LookForTheStack",
        actions=("iam:GetRole",),
        resources=(scope.agent_role_arn,),
        why="Whether anything of the stack stands, which decides what is taken up again.",
    )


def _previewing(scope: ReadScope) -> list[Statement]:
    """Without looking at what stands: what the program itself asks, and what provider and registries are asked."""
    names = scope.names
    return [
        Statement(
            sid="LookForTheBucket",
            actions=("s3:GetBucketTagging", "s3:ListBucket", "s3:ListBucketVersions"),
            resources=(scope.bucket_arn,),
            why="Whether the bucket is there, whose it is, and whether it is empty. It tells names of objects; what is"
            " in them it does not.",
        ),
        Statement(
            sid="LookForTheSecret",
            actions=("secretsmanager:DescribeSecret",),
            resources=(scope.token_secret,),
            why="Whether the token's secret is there, and whether it waits for its deletion. Its value is not told.",
        ),
        Statement(
            sid="LookForRepositories",
            actions=("ecr:DescribeRepositories",),
            resources=(names.arn("ecr", "repository/*"),),
            why="Which of the stack's repositories are there. Asked by name, ECR answers nothing when one is missing,"
            " so all of the region are listed.",
        ),
        Statement(
            sid="ReadRepositories",
            actions=("ecr:ListTagsForResource",),
            resources=(scope.repositories,),
            why="Whose they are.",
        ),
        Statement(
            sid="LogIn",
            actions=("ecr:GetAuthorizationToken",),
            resources=("*",),
            why="A login of 12 hours; AWS ties it to no repository, and it opens none by itself.",
        ),
        Statement(
            sid="ReadImages",
            actions=("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
            resources=(scope.repositories, *scope.repositories_elsewhere),
            why="Whether an image with the same content is there already, and which digest a tag has. Who has this can"
            " pull the images.",
        ),
        Statement(
            sid="SeeTheNetwork",
            actions=(
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeRouteTables",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ),
            resources=("*",),
            conditions=scope.here,
            why="The zones of the region, or the network that is adopted. EC2 takes no resource here, so networks of"
            " the whole account are told, in this region.",
        ),
        Statement(
            sid="ReadNetwork",
            actions=("ec2:DescribeVpcAttribute",),
            resources=(names.arn("ec2", "vpc/*"),),
            why="Whether names are resolved in the network, whose id is not known before.",
        ),
    ]


def _state(scope: ReadScope) -> list[Statement]:
    if scope.state_bucket is None:
        return []
    bucket = f"arn:{scope.names.partition}:s3:::{scope.state_bucket}"
    statements = [
        Statement(
            sid="FindState",
            actions=("s3:ListBucket",),
            resources=(bucket,),
            why="Find the state of Pulumi.",
        ),
        Statement(
            sid="ReadState",
            actions=("s3:GetObject",),
            resources=(f"{bucket}/*",),
            why="Read it, that of other stacks in the same bucket too. Secrets in it are ciphertext.",
        ),
    ]
    if scope.state_key_arn is not None:
        statements.append(
            Statement(
                sid="DecryptState",
                actions=("kms:Decrypt",),
                resources=(scope.state_key_arn,),
                conditions={"StringLike": {"kms:ViaService": scope.by_s3}},
                why="S3 uses the bucket's key on the reader's behalf; secrets within the state stay ciphertext.",
            )
        )
    return statements


def _denied(scope: ReadScope) -> list[Statement]:
    return [
        Statement(
            sid="NoValuesOfSecrets",
            actions=(
                "secretsmanager:GetSecretValue",
                "secretsmanager:BatchGetSecretValue",
                "ssm:GetParameter",
                "ssm:GetParameters",
                "ssm:GetParametersByPath",
                "ssm:GetParameterHistory",
            ),
            resources=("*",),
            effect="Deny",
            why="The code of a pull request runs with this role: no value of any secret, whatever else is attached.",
        ),
        Statement(
            sid="NoDecryption",
            actions=("kms:Decrypt",),
            resources=("*",),
            conditions={"StringNotLike": {"kms:ViaService": scope.by_s3}},
            effect="Deny",
            why="Nor does it decrypt the stack's secrets in the state. Only S3 may, for the bucket of the state.",
        ),
        Statement(
            sid="NoObjects",
            actions=("s3:GetObject", "s3:GetObjectVersion"),
            resources=(f"{scope.bucket_arn}/*",),
            effect="Deny",
            why="Nor the values of assets.",
        ),
        Statement(
            sid="NoOtherRole",
            actions=("sts:AssumeRole", "iam:PassRole"),
            resources=("*",),
            effect="Deny",
            why="Nor another role.",
        ),
    ]


def _comparing_secrets(scope: ReadScope) -> list[Statement]:
    statements = [
        Statement(
            sid="ReadToken",
            actions=("secretsmanager:GetSecretValue",),
            resources=(scope.token_secret,),
            why="Whether the secret still holds the token that the state has.",
        )
    ]
    by_key: Sequence[tuple[str, str | None, Conditions, str]] = (
        (
            "DecryptToken",
            scope.token_key_arn,
            {"StringEquals": {"kms:ViaService": scope.place.via("secretsmanager")}},
            "Secrets Manager uses this key on the reader's behalf.",
        ),
        ("DecryptSecrets", scope.secrets_key_arn, {}, "The stack's secrets in the state and in its file."),
    )
    statements += [
        Statement(sid=sid, actions=("kms:Decrypt",), resources=(arn,), conditions=conditions, why=why)
        for sid, arn, conditions, why in by_key
        if arn is not None
    ]
    return statements
