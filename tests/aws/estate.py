"""A program that uses every type that a stack on ECS stands up, with settings that tests change."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from tests.aws.moto_server import ACCOUNT, REGION

STACK_TAG = "dagster-hybrid/stack"
SECRET = "swordfish-of-a-test"


@dataclass(frozen=True)
class Estate:
    """``slow``: also what the provider waits for tens of seconds, as there is nothing to wait for in moto."""

    account: str = ACCOUNT
    base: str = "hybrid-dev"
    retention: int = 14
    image: str = "agent:1"
    endpoint_service: str = "ecr.api"
    tags: dict[str, str] = field(default_factory=lambda: {"team": "data"})
    slow: bool = False

    def __call__(self) -> None:
        provider = aws.Provider(
            "aws",
            region=REGION,
            allowed_account_ids=[self.account],
            default_tags={"tags": {**self.tags, STACK_TAG: self.base}},
        )
        own = pulumi.ResourceOptions(provider=provider)
        asked = pulumi.InvokeOptions(provider=provider)
        account = aws.get_caller_identity(opts=asked).account_id
        zones = aws.get_availability_zones(state="available", opts=asked).names[:2]
        pulumi.export("account", account)
        pulumi.export("region", aws.get_region(opts=asked).region)
        pulumi.export("partition", aws.get_partition(opts=asked).partition)
        vpc, subnets = self._network(own, zones)
        group = self._security(own, vpc)
        data = self._storage(own)
        secret = self._secret(own)
        roles = self._roles(own, data, secret)
        self._registry(own, roles["execution"])
        alarm = self._watch(own)
        self._containers(own, vpc, subnets, group, roles, secret)
        pulumi.export("vpc", vpc.id)
        pulumi.export("alarm", alarm.arn)
        pulumi.export("found", aws.ec2.get_vpc_output(id=vpc.id, opts=asked).cidr_block)

    def _network(self, own: pulumi.ResourceOptions, zones: list[str]) -> tuple[aws.ec2.Vpc, list[aws.ec2.Subnet]]:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.20.0.0/16", tags={"Name": self.base}, opts=own)
        gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id, tags={"Name": self.base}, opts=own)
        table = aws.ec2.RouteTable("public", vpc_id=vpc.id, opts=own)
        aws.ec2.Route(
            "out", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id, opts=own
        )
        subnets = []
        for index, zone in enumerate(zones):
            subnet = aws.ec2.Subnet(
                f"public-{index}",
                vpc_id=vpc.id,
                cidr_block=f"10.20.{index}.0/24",
                availability_zone=zone,
                tags={"Name": f"{self.base}-public-{index}"},
                opts=own,
            )
            aws.ec2.RouteTableAssociation(
                f"public-{index}-routes", subnet_id=subnet.id, route_table_id=table.id, opts=own
            )
            subnets.append(subnet)
        aws.ec2.VpcEndpoint(
            "to-s3", vpc_id=vpc.id, service_name=f"com.amazonaws.{REGION}.s3", route_table_ids=[table.id], opts=own
        )
        aws.ec2.DefaultSecurityGroup("closed", vpc_id=vpc.id, opts=own)
        if self.slow:
            address = aws.ec2.Eip("address", domain="vpc", opts=own)
            aws.ec2.NatGateway("nat", allocation_id=address.id, subnet_id=subnets[0].id, opts=own)
            aws.ec2.VpcEndpoint(
                "to-ecr",
                vpc_id=vpc.id,
                service_name=f"com.amazonaws.{REGION}.{self.endpoint_service}",
                vpc_endpoint_type="Interface",
                subnet_ids=[subnet.id for subnet in subnets],
                private_dns_enabled=True,
                opts=own,
            )
        return vpc, subnets

    def _security(self, own: pulumi.ResourceOptions, vpc: aws.ec2.Vpc) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup("code", name=f"{self.base}-code", vpc_id=vpc.id, opts=own)
        aws.vpc.SecurityGroupIngressRule(
            "code-from-itself",
            security_group_id=group.id,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=4000,
            to_port=4000,
            opts=own,
        )
        aws.vpc.SecurityGroupEgressRule(
            "code-out", security_group_id=group.id, cidr_ipv4="0.0.0.0/0", ip_protocol="-1", opts=own
        )
        return group

    def _storage(self, own: pulumi.ResourceOptions) -> aws.s3.Bucket:
        bucket = aws.s3.Bucket("data", bucket=f"{self.base}-{ACCOUNT}-{REGION}", force_destroy=True, opts=own)
        aws.s3.BucketVersioning(
            "data-versions", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=own
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            "data-encryption",
            bucket=bucket.bucket,
            rules=[{"apply_server_side_encryption_by_default": self._key(own), "bucket_key_enabled": self.slow}],
            opts=own,
        )
        closed = aws.s3.BucketPublicAccessBlock(
            "data-closed",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=own,
        )
        aws.s3.BucketOwnershipControls(
            "data-owner", bucket=bucket.bucket, rule={"object_ownership": "BucketOwnerEnforced"}, opts=own
        )
        tls_only = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
        after = pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=[closed]))
        policy = pulumi.Output.json_dumps(tls_only)
        aws.s3.BucketPolicy("data-policy", bucket=bucket.bucket, policy=policy, opts=after)
        if self.slow:
            aws.s3.BucketLifecycleConfiguration(
                "data-lifecycle",
                bucket=bucket.bucket,
                rules=[
                    {
                        "id": "old-versions",
                        "status": "Enabled",
                        "filter": {"prefix": ""},
                        "noncurrent_version_expiration": {"noncurrent_days": 30},
                    }
                ],
                opts=own,
            )
        return bucket

    def _key(self, own: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        if not self.slow:
            return {"sse_algorithm": "AES256"}
        key = aws.kms.Key("key", description=f"data of {self.base}", enable_key_rotation=True, opts=own)
        aws.kms.Alias("key-alias", name=f"alias/{self.base}", target_key_id=key.key_id, opts=own)
        return {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn}

    def _secret(self, own: pulumi.ResourceOptions) -> aws.secretsmanager.Secret:
        secret = aws.secretsmanager.Secret(
            "token", name=f"{self.base}/agent-token", recovery_window_in_days=0, opts=own
        )
        aws.secretsmanager.SecretVersion(
            "token-value", secret_id=secret.id, secret_string=pulumi.Output.secret(SECRET), opts=own
        )
        return secret

    def _roles(
        self, own: pulumi.ResourceOptions, data: aws.s3.Bucket, secret: aws.secretsmanager.Secret
    ) -> dict[str, aws.iam.Role]:
        trusted = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": self.account}},
                }
            ],
        }
        roles = {
            what: aws.iam.Role(
                f"role-{what}", name=f"{self.base}-{what}", assume_role_policy=json.dumps(trusted), opts=own
            )
            for what in ("agent", "execution")
        }
        aws.iam.RolePolicy(
            "agent-reads",
            name="reads",
            role=roles["agent"].name,
            policy=_allowed("s3:GetObject", pulumi.Output.concat(data.arn, "/*")),
            opts=own,
        )
        aws.iam.RolePolicy(
            "execution-token",
            name="token",
            role=roles["execution"].name,
            policy=_allowed("secretsmanager:GetSecretValue", secret.arn),
            opts=own,
        )
        shared = aws.iam.Policy(
            "shared",
            name=f"{self.base}-shared",
            policy=_allowed("logs:PutLogEvents", pulumi.Output.from_input("*")),
            opts=own,
        )
        aws.iam.RolePolicyAttachment("shared-here", role=roles["agent"].name, policy_arn=shared.arn, opts=own)
        aws.iam.OpenIdConnectProvider(
            "ci",
            url="https://token.actions.githubusercontent.com",
            client_id_lists=["sts.amazonaws.com"],
            thumbprint_lists=["6938fd4d98bab03faadb97b34396831e3780aea1"],
            opts=own,
        )
        return roles

    def _registry(self, own: pulumi.ResourceOptions, puller: aws.iam.Role) -> None:
        repository = aws.ecr.Repository(
            "code-images",
            name=f"{self.base}/code",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            force_delete=True,
            opts=own,
        )
        untagged = {
            "rules": [
                {
                    "rulePriority": 1,
                    "selection": {
                        "tagStatus": "untagged",
                        "countType": "sinceImagePushed",
                        "countUnit": "days",
                        "countNumber": 14,
                    },
                    "action": {"type": "expire"},
                }
            ]
        }
        aws.ecr.LifecyclePolicy("code-images-expiry", repository=repository.name, policy=json.dumps(untagged), opts=own)
        reading = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Pull",
                    "Effect": "Allow",
                    "Principal": {"AWS": puller.arn},
                    "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                }
            ],
        }
        aws.ecr.RepositoryPolicy(
            "code-images-pull", repository=repository.name, policy=pulumi.Output.json_dumps(reading), opts=own
        )

    def _watch(self, own: pulumi.ResourceOptions) -> aws.cloudwatch.MetricAlarm:
        topic = aws.sns.Topic("alarms", name=f"{self.base}-alarms", opts=own)
        aws.sns.TopicSubscription(
            "alarms-mail", topic=topic.arn, protocol="email", endpoint="team@example.com", opts=own
        )
        rule = aws.cloudwatch.EventRule(
            "stopped",
            name=f"{self.base}-stopped",
            event_pattern=json.dumps({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}),
            opts=own,
        )
        aws.cloudwatch.EventTarget("stopped-told", rule=rule.name, target_id="topic", arn=topic.arn, opts=own)
        return aws.cloudwatch.MetricAlarm(
            "no-agent",
            name=f"{self.base}-no-agent",
            comparison_operator="LessThanThreshold",
            evaluation_periods=3,
            metric_name="RunningTaskCount",
            namespace="ECS/ContainerInsights",
            period=60,
            statistic="Minimum",
            threshold=1,
            dimensions={"ClusterName": self.base},
            alarm_actions=[topic.arn],
            treat_missing_data="breaching",
            opts=own,
        )

    def _containers(
        self,
        own: pulumi.ResourceOptions,
        vpc: aws.ec2.Vpc,
        subnets: list[aws.ec2.Subnet],
        group: aws.ec2.SecurityGroup,
        roles: dict[str, aws.iam.Role],
        secret: aws.secretsmanager.Secret,
    ) -> None:
        logs = aws.cloudwatch.LogGroup(
            "agent-logs", name=f"/{self.base}/agent", retention_in_days=self.retention, opts=own
        )
        aws.servicediscovery.PrivateDnsNamespace("namespace", name=f"{self.base}.local", vpc=vpc.id, opts=own)
        cluster = aws.ecs.Cluster(
            "cluster", name=self.base, settings=[{"name": "containerInsights", "value": "enabled"}], opts=own
        )
        if self.slow:
            spot = ["FARGATE", "FARGATE_SPOT"]
            aws.ecs.ClusterCapacityProviders("capacity", cluster_name=cluster.name, capacity_providers=spot, opts=own)
        containers = [
            {
                "name": "agent",
                "image": self.image,
                "essential": True,
                "secrets": [{"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": secret.arn}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": logs.name,
                        "awslogs-region": REGION,
                        "awslogs-stream-prefix": "agent",
                    },
                },
            }
        ]
        task = aws.ecs.TaskDefinition(
            "agent-task",
            family=f"{self.base}-agent",
            cpu="256",
            memory="1024",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            task_role_arn=roles["agent"].arn,
            execution_role_arn=roles["execution"].arn,
            container_definitions=pulumi.Output.json_dumps(containers),
            opts=own,
        )
        aws.ecs.Service(
            "agent",
            name=f"{self.base}-agent",
            cluster=cluster.arn,
            task_definition=task.arn,
            desired_count=1,
            launch_type="FARGATE",
            network_configuration={
                "subnets": [subnet.id for subnet in subnets],
                "security_groups": [group.id],
                "assign_public_ip": True,
            },
            deployment_circuit_breaker={"enable": True, "rollback": True},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            opts=own,
        )


def _allowed(action: str, resource: pulumi.Output[str]) -> pulumi.Output[str]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})
