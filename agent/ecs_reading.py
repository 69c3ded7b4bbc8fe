"""What the roles of CI that only read may do, statement by statement, each with its reason: the one that previews a
pull request, and the one that looks for drift. docs/iam.md is made from this.

Which calls those make was recorded from Pulumi's engine (tests/aws/test_ecs_reading.py) and read in ``infra.standing``,
``infra.adopted_network`` and ``hybrid.provider``. Names stand in for ids and ARNs wherever AWS allows it, so that the
policies are known before anything is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.ecs_names import EcsNames
from infra.place import Place
from infra.statements import Conditions, Statement


@dataclass(frozen=True)
class ReadScope:
    """What the statements are narrowed to."""

    names: EcsNames
    bucket: str
    """The name of the stack's bucket."""
    agent_role_arn: str
    """The role of the agent's task."""
    role_arns: tuple[str, ...]
    """All of the stack's roles, this one among them."""
    cluster: str
    """The name of the ECS cluster."""
    repositories_elsewhere: tuple[str, ...] = ()
    """ARNs of repositories that are not the stack's and have images that it runs."""
    state_bucket: str | None = None
    """The name of the S3 bucket with Pulumi's state; None: state is kept elsewhere."""
    state_key_arn: str | None = None
    """The KMS key that encrypts the objects in that bucket, if it is not S3's own."""
    secrets_key_arn: str | None = None
    """The KMS key that `secretsprovider` of the stack file names; only who looks for drift uses it."""
    token_key_arn: str | None = None
    """The KMS key of the secret with the agent's token, if it is not AWS's own."""

    @property
    def place(self) -> Place:
        return Place(self.names.account, self.names.region, self.names.partition)

    @property
    def token_secret(self) -> str:
        """With any of the six characters that AWS adds."""
        return self.names.arn("secretsmanager", f"secret:{self.names.token_secret}-??????")

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.names.partition}:s3:::{self.bucket}"

    @property
    def by_s3(self) -> str:
        """What ``kms:ViaService`` is when S3 uses a key; the state may lie in another region than the stack."""
        return f"s3.*.{self.place.domain}"

    @property
    def repositories(self) -> str:
        return self.names.arn("ecr", f"repository/{self.names.base}/*")


def review_statements(scope: ReadScope) -> tuple[Statement, ...]:
    """Of the role that previews a pull request. It is in the hands of whoever may open one: no statement gives the
    value of a secret or an object of the stack's bucket, and what would is denied, so that no policy that is attached
    later gives it either."""
    return (_look_for_the_stack(scope), *_previewing(scope), *_state(scope), *_denied(scope))


def drift_statements(scope: ReadScope) -> tuple[Statement, ...]:
    """Of the role that compares what stands with the state. Only code of the configured branch has it, so it may read
    the token that is in the state too."""
    return (*_previewing(scope), *_state(scope), *_refreshing(scope), *_comparing_secrets(scope))


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
            conditions=_here(scope),
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


def _refreshing(scope: ReadScope) -> list[Statement]:
    """Each resource as AWS's provider reads it."""
    return [statement for made in (_in_iam, _in_storage, _in_ecs, _around) for statement in made(scope)]


def _in_iam(scope: ReadScope) -> list[Statement]:
    names = scope.names
    return [
        Statement(
            sid="ReadRoles",
            actions=("iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
            resources=scope.role_arns,
            why="The stack's roles and their policies.",
        ),
        Statement(
            sid="ReadIssuers",
            actions=("iam:GetOpenIDConnectProvider",),
            resources=(names.arn("iam", "oidc-provider/*", region=False),),
            why="The issuer of CI's tokens, if the stack made it.",
        ),
    ]


def _in_storage(scope: ReadScope) -> list[Statement]:
    return [
        Statement(
            sid="ReadBucket",
            actions=(
                "s3:GetAccelerateConfiguration",
                "s3:GetBucketAcl",
                "s3:GetBucketCORS",
                "s3:GetBucketLogging",
                "s3:GetBucketObjectLockConfiguration",
                "s3:GetBucketOwnershipControls",
                "s3:GetBucketPolicy",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketRequestPayment",
                "s3:GetBucketVersioning",
                "s3:GetBucketWebsite",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:GetReplicationConfiguration",
            ),
            resources=(scope.bucket_arn,),
            why="How the bucket is set up.",
        ),
        Statement(
            sid="ReadLifecycles",
            actions=("ecr:GetLifecyclePolicy",),
            resources=(scope.repositories,),
            why="What of the repositories expires.",
        ),
        Statement(
            sid="ReadSecretsPolicy",
            actions=("secretsmanager:GetResourcePolicy",),
            resources=(scope.token_secret,),
            why="Who else may use the token's secret.",
        ),
    ]


def _in_ecs(scope: ReadScope) -> list[Statement]:
    names = scope.names
    cluster = names.arn("ecs", f"cluster/{scope.cluster}")
    return [
        Statement(
            sid="ReadCluster",
            actions=("ecs:DescribeClusters",),
            resources=(cluster,),
            why="The cluster.",
        ),
        Statement(
            sid="ReadService",
            actions=("ecs:DescribeServices", "ecs:DescribeTasks"),
            resources=(
                names.arn("ecs", f"service/{scope.cluster}/{names.service}"),
                names.arn("ecs", f"task/{scope.cluster}/*"),
            ),
            why="The agent's service, and since when its task runs.",
        ),
        Statement(
            sid="ListTasks",
            actions=("ecs:ListTasks",),
            resources=("*",),
            conditions={"ArnEquals": {"ecs:cluster": cluster}},
            why="Which tasks are in this cluster. AWS takes no task as a resource, so the cluster is a condition.",
        ),
        Statement(
            sid="ReadDefinitions",
            actions=("ecs:DescribeTaskDefinition",),
            resources=("*",),
            why="The agent's task definition. AWS takes no resource here.",
        ),
        Statement(
            sid="ReadNamespace",
            actions=("servicediscovery:GetNamespace",),
            resources=(names.arn("servicediscovery", "namespace/*"),),
            why="The namespace of code servers, whose id is not known before.",
        ),
        Statement(
            sid="ReadNamespacesTags",
            actions=("servicediscovery:ListTagsForResource",),
            resources=("*",),
            why="Its tags. AWS takes no resource here.",
        ),
    ]


def _around(scope: ReadScope) -> list[Statement]:
    names, base = scope.names, scope.names.base
    return [
        Statement(
            sid="SeeMoreOfTheNetwork",
            actions=(
                "ec2:DescribeAddresses",
                "ec2:DescribeAddressesAttribute",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeNatGateways",
                "ec2:DescribeNetworkAcls",
                "ec2:DescribePrefixLists",
                "ec2:DescribeSecurityGroupRules",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeVpcEndpoints",
            ),
            resources=("*",),
            conditions=_here(scope),
            why="The network that the stack made. EC2 takes no resource here.",
        ),
        Statement(
            sid="FindLogGroups",
            actions=("logs:DescribeLogGroups",),
            resources=("*",),
            why="The log groups. They are found by listing all; AWS takes no resource here.",
        ),
        Statement(
            sid="ReadLogGroups",
            actions=("logs:ListTagsForResource",),
            resources=(names.arn("logs", f"log-group:/{base}/*"),),
            why="Their tags. What is logged is not told.",
        ),
        Statement(
            sid="FindAlarms",
            actions=("cloudwatch:DescribeAlarms",),
            resources=(names.arn("cloudwatch", "alarm:*"),),
            why="The alarms. They are asked for together with composite ones, of which AWS tells only who may see all.",
        ),
        Statement(
            sid="ReadAlarms",
            actions=("cloudwatch:ListTagsForResource",),
            resources=(names.arn("cloudwatch", f"alarm:{base}-*"),),
            why="Their tags.",
        ),
        Statement(
            sid="ReadTopic",
            actions=("sns:GetTopicAttributes", "sns:ListTagsForResource"),
            resources=(names.arn("sns", f"{base}-alarms"),),
            why="Whom they tell.",
        ),
        Statement(
            sid="ReadSubscriptions",
            actions=("sns:GetSubscriptionAttributes",),
            resources=("*",),
            why="And who hears of it. AWS takes no resource here.",
        ),
        Statement(
            sid="ReadRules",
            actions=("events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"),
            resources=(names.arn("events", f"rule/{base}-*"),),
            why="The rule that tells of stopped tasks.",
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


def _here(scope: ReadScope) -> Conditions:
    return {"StringEquals": {"aws:RequestedRegion": scope.names.region}}
