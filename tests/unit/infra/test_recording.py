"""The recording engine itself: that it sees what is wrong. What it lets pass is checked for names and kinds only."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.unit.infra import recording

pytestmark = pytest.mark.unit

VPC = "aws:ec2/vpc:Vpc"


class Pair(pulumi.ComponentResource):
    """A component with a network and a group in it."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tests:index:Pair", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        self.vpc = aws.ec2.Vpc(f"{name}-vpc", cidr_block="10.0.0.0/16", opts=inside)
        self.group = aws.ec2.SecurityGroup(
            f"{name}-group",
            vpc_id=self.vpc.id,
            opts=pulumi.ResourceOptions(parent=self, protect=True, delete_before_replace=True),
        )
        self.register_outputs({})


def test_resources_are_written_down_with_inputs_parents_options_and_ids_like_those_of_aws() -> None:
    record = recording.run(lambda: Pair("pair"))

    vpc, group = record.only(VPC), record.named("pair-group")
    assert vpc.inputs == {"cidrBlock": "10.0.0.0/16"}
    assert vpc.id.startswith("vpc-")
    assert (vpc.parent, record.named("pair").parent) == ("pair", None)
    assert group.inputs["vpcId"] == vpc.id, "an output is resolved before it is an input"
    assert "pair-vpc" in group.options.depends_on
    assert group.options.protect
    assert group.options.delete_before_replace
    assert not vpc.options.protect
    assert record.value(record.result.vpc.arn) == f"arn:aws:ec2:eu-west-1:123456789012:vpc/{vpc.id}"
    assert record.counts() == {VPC: 1, "aws:ec2/securityGroup:SecurityGroup": 1}


def test_before_an_update_nothing_computed_is_known() -> None:
    record = recording.run(lambda: Pair("pair"), preview=True)

    assert not record.is_known(record.result.vpc.id)
    assert not record.is_known(record.result.vpc.arn)
    assert record.is_known(record.result.vpc.cidr_block), "what was given is known"
    assert isinstance(record.named("pair-group").inputs["vpcId"], recording.UNKNOWN)


def wrong(build: Any, **options: Any) -> list[str]:
    record = recording.run(build, strict=False, **options)
    with pytest.raises(AssertionError):
        recording.run(build, **options)
    return record.failures


def test_a_nested_name_that_the_class_does_not_know_is_a_failure() -> None:
    listener = {"container_nme": "agent", "container_port": 1, "target_group_arn": "arn"}
    assert wrong(lambda: aws.ecs.Service("s", load_balancers=[listener])) == [
        "s (aws:ecs/service:Service): it takes no `loadBalancers[0].container_nme`"
    ]


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"cidr_block": 10}, "cidrBlock"),
        ({"enable_dns_support": "yes"}, "enableDnsSupport"),
        ({"tags": {"Name": 1}}, "tags.Name"),
    ],
)
def test_a_value_of_another_kind_is_a_failure(inputs: dict[str, Any], path: str) -> None:
    (failure,) = wrong(lambda: aws.ec2.Vpc("v", **inputs))
    assert f"`{path}` is no " in failure


def test_a_type_that_was_not_expected_or_is_not_known_is_a_failure() -> None:
    assert "was not expected" in wrong(lambda: Pair("pair"), allowed=[VPC])[0]
    assert "does not know which ARN" in wrong(lambda: aws.sqs.Queue("q"))[0]


def test_a_question_without_an_answer_is_a_failure_and_answers_can_be_given() -> None:
    def asking() -> Any:
        return aws.ec2.get_vpc_output(id="vpc-1").cidr_block

    token = "aws:ec2/getVpc:getVpc"
    assert token in wrong(asking)[0]
    record = recording.run(asking, answers={token: lambda asked: {"id": asked["id"], "cidrBlock": "10.1.0.0/16"}})
    assert record.value(record.result) == "10.1.0.0/16"
    assert record.asked(token) == [{"id": "vpc-1"}]


def test_our_own_types_are_held_against_our_provider() -> None:
    class Sweep(pulumi.CustomResource):
        def __init__(self) -> None:
            super().__init__("dagsterhybrid:index:ContainerSweep", "sweep", {"stack": "prod", "netwrk": "n"})

    assert [failure.split(": ", 1)[1] for failure in wrong(Sweep)] == ["it takes no `netwrk`", "`network` is missing"]


def test_secret_inputs_are_marked_and_their_values_shown_bare() -> None:
    def made() -> Any:
        return aws.secretsmanager.SecretVersion("v", secret_id="arn", secret_string=pulumi.Output.secret("planted"))

    version = recording.run(made).named("v")
    assert version.secret == {"secretString"}
    assert version.inputs["secretString"] == "planted"


def test_an_error_of_the_program_is_raised_as_it_is() -> None:
    class Refusal(Exception):
        pass

    def refuse(_: Any) -> None:
        raise Refusal

    def late() -> None:
        pair = Pair("pair")
        aws.ec2.Subnet("s", vpc_id=pair.vpc.id.apply(refuse), cidr_block="10.0.0.0/24")

    with pytest.raises(Refusal):
        recording.run(lambda: refuse(None))
    with pytest.raises(Refusal):
        recording.run(late)


def test_warnings_are_heard() -> None:
    assert recording.run(lambda: pulumi.log.warn("beware")).warnings == ["beware"]
