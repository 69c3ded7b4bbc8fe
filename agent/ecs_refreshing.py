"""What AWS's provider asks when each resource of a stack on ECS is looked at, statement by statement, each with its
reason: for the role that looks for drift. That the list is whole is held by tests/aws/test_ecs_reading.py."""

from __future__ import annotations

from agent.ecs_read_scope import ReadScope
from infra.statements import Statement


def refresh_statements(scope: ReadScope) -> list[Statement]:
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
            conditions=scope.here,
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
