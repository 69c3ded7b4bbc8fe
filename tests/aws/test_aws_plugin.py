"""Which plugin tests get, and what the provider behind the stand-in lacks of the SDK.

The list of what it lacks is written here, so that a newer SDK or another provider shows as a failure to be read.
"""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest

from tests.aws.fixtures import official_aws_plugin, plugin_path
from tests.standins.aws import book, catalog, terraform
from tests.standins.aws.book import Book
from tests.standins.aws.terraform import Terraform

pytestmark = [pytest.mark.program, pytest.mark.timeout(300)]

WRITTEN_FOR = ("5.100.0", "7.51.1")  # the provider, the SDK
LACKING = {
    "aws:cloudwatch/logGroup:LogGroup": {"deletionProtectionEnabled"},
    "aws:cloudwatch/metricAlarm:MetricAlarm": {
        "evaluationCriteria",
        "evaluationInterval",
        "evaluationWindow",
        "warmUpConfiguration",
    },
    "aws:ec2/natGateway:NatGateway": {
        "autoProvisionZones",
        "autoScalingIps",
        "availabilityMode",
        "availabilityZoneAddresses",
        "regionalNatGatewayAddresses",
        "regionalNatGatewayAutoMode",
        "routeTableId",
        "vpcId",
    },
    "aws:ec2/route:Route": {"odbNetworkArn"},
    "aws:ec2/routeTable:RouteTable": {"routes.odbNetworkArn"},
    "aws:ec2/subnet:Subnet": {"ipv4IpamPoolId", "ipv4NetmaskLength", "ipv6IpamPoolId", "ipv6NetmaskLength"},
    "aws:ec2/vpcEndpoint:VpcEndpoint": {
        "dnsOptions.privateDnsPreference",
        "dnsOptions.privateDnsSpecifiedDomains",
    },
    "aws:ecr/repository:Repository": {"imageTagMutabilityExclusionFilters"},
    "aws:ecs/service:Service": {
        "arn",
        "deploymentConfiguration",
        "loadBalancers.advancedConfiguration",
        "serviceConnectConfiguration.accessLogConfiguration",
        "serviceConnectConfiguration.services.clientAlias.testTrafficRules",
        "sigintRollback",
    },
    "aws:ecs/taskDefinition:TaskDefinition": {"volumes.s3filesVolumeConfiguration"},
    "aws:efs/mountTarget:MountTarget": {"ipAddressType", "ipv6Address"},
    "aws:iam/policy:Policy": {"delayAfterPolicyCreationInMs"},
    "aws:s3/bucket:Bucket": {
        "bucketNamespace",
        "serverSideEncryptionConfiguration.rule.blockedEncryptionTypes",
    },
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {"skipDestroy"},
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": {
        "rules.blockedEncryptionTypes"
    },
    "aws:secretsmanager/secret:Secret": {"type"},
    "aws:secretsmanager/secretVersion:SecretVersion": {"secretArn"},
    "aws:sns/topic:Topic": {"maximumMessageSize"},
}


@pytest.fixture(scope="module")
def made(aws_plugin_path: str, tmp_path_factory: pytest.TempPathFactory) -> Book:
    """The stand-in's book, made anew."""
    if not aws_plugin_path:
        pytest.skip("Pulumi's own plugin is installed")
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    binary = terraform.find(environ)
    assert binary is not None, "there is a stand-in, so there is a provider"
    if (binary.version, importlib.metadata.version("pulumi-aws")) != WRITTEN_FOR:
        pytest.skip("the list is written for another provider and another SDK")
    running = Terraform(binary, environ)
    try:
        first = book.load(binary, running, environ)
        kept = book.load(binary, running, environ)
    finally:
        running.end()
    for token in catalog.RESOURCES:
        assert first[token] == kept[token], "what is kept must be what was made"
    return kept


@pytest.mark.parametrize("token", catalog.RESOURCES)
def test_what_the_provider_lacks_is_known(made: Book, token: str) -> None:
    assert set(made[token].missing) - {"region"} == LACKING.get(token, set()), "read the difference, then write it here"


@pytest.mark.parametrize("token", catalog.RESOURCES)
def test_what_is_named_by_hand_is_there(made: Book, token: str) -> None:
    listed, shape = catalog.RESOURCES[token], made[token].shape
    terraform_names = {field.terraform for field in shape.fields}
    given = {field.pulumi for field in shape.fields if field.given}
    assert set(listed.renames) <= terraform_names, "an attribute that is named does not exist"
    assert set(listed.defaults) <= given, "a default for something that nobody can set"
    assert set(listed.copies) <= set(made[token].missing), "a copy of what the provider has by now"
    assert listed.naming is None or listed.naming.property in given, "a name for something that has none"


def test_without_a_plugin_tests_are_skipped_and_in_ci_they_fail(tmp_path: Path) -> None:
    nothing = {"PULUMI_HOME": str(tmp_path), terraform.VARIABLE: str(tmp_path / "gone")}
    with pytest.raises(pytest.skip.Exception, match="pulumi plugin install resource aws"):
        plugin_path(nothing)
    with pytest.raises(pytest.fail.Exception, match="pulumi plugin install resource aws"):
        plugin_path({**nothing, "CI": "true"})


def test_the_official_plugin_is_taken_in_the_sdk_s_version_only(tmp_path: Path) -> None:
    wanted = importlib.metadata.version("pulumi-aws")
    environ = {"PULUMI_HOME": str(tmp_path), terraform.VARIABLE: str(tmp_path / "gone")}
    for version, found in (("7.0.0", None), (wanted, wanted)):
        plugin = tmp_path / "plugins" / f"resource-aws-v{version}" / "pulumi-resource-aws"
        plugin.parent.mkdir(parents=True)
        plugin.touch()
        assert official_aws_plugin(environ) == found, "another version would be another schema"
    assert plugin_path(environ) == "", "Pulumi finds its own"
