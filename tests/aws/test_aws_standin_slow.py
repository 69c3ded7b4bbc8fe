"""The types for which the provider waits tens of seconds, with Pulumi's real engine against moto."""

from __future__ import annotations

import json

import pytest

from tests.aws.estate import Estate
from tests.aws.moto_server import ACCOUNT, REGION, Moto
from tests.aws.program import AwsProgram

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

BASE = "hybrid-dev"
BUCKET = f"{BASE}-{ACCOUNT}-{REGION}"


def test_what_is_waited_for_long_stands_as_declared_and_goes(aws_program: AwsProgram, moto: Moto) -> None:
    aws_program.declare(Estate(slow=True))
    aws_program.up()

    (rule,) = moto.client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert (rule["ID"], rule["Status"]) == ("old-versions", "Enabled"), "the rule"
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}, "old versions go"
    kms = moto.client("kms")
    key = kms.describe_key(KeyId=f"alias/{BASE}")["KeyMetadata"]
    assert key["Description"] == f"data of {BASE}", "the alias leads to the key"
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"], "it is rotated"
    (encryption,) = moto.client("s3").get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key["Arn"], "the bucket's key"
    assert encryption["BucketKeyEnabled"], "one for the bucket"
    ec2 = moto.client("ec2")
    (nat,) = ec2.describe_nat_gateways()["NatGateways"]
    (address,) = ec2.describe_addresses()["Addresses"]
    assert nat["NatGatewayAddresses"][0]["AllocationId"] == address["AllocationId"], "the way out of private subnets"
    endpoints = {each["ServiceName"]: each for each in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
    inside = endpoints[f"com.amazonaws.{REGION}.ecr.api"]
    assert (inside["VpcEndpointType"], len(inside["SubnetIds"])) == ("Interface", 2), "the way to the registry"
    (cluster,) = moto.client("ecs").describe_clusters(clusters=[BASE])["clusters"]
    assert sorted(cluster["capacityProviders"]) == ["FARGATE", "FARGATE_SPOT"], "also Spot"

    assert aws_program.up(refresh=True).changes == {}, "the same program must change nothing"
    aws_program.declare(Estate(slow=True, endpoint_service="ecr.dkr"))
    assert aws_program.up().step("to-ecr", "replace").keys == ("serviceName",), "another service, another endpoint"
    aws_program.destroy()
    assert json.loads(aws_program.state_text())["checkpoint"]["latest"].get("resources") is None, "nothing is left"
    assert [each["State"] for each in ec2.describe_nat_gateways()["NatGateways"]] == ["deleted"], "nor in the account"
