"""Who may connect to whom: every rule of the two groups, and that there is none besides.

Pulumi's engine is a recording one; that AWS drops what no rule allows is AWS's word.
"""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest

from hybrid.errors import SettingsError
from infra.security_groups import Destination, SecurityGroups, SecurityGroupsArgs, adopted_groups
from tests.unit.infra import recording
from tests.unit.infra.recording import Made, Record

pytestmark = pytest.mark.unit

GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
LOOKED_UP = "aws:ec2/getSecurityGroup:getSecurityGroup"


def made(**args: Any) -> Record:
    return recording.run(
        lambda: SecurityGroups("groups", SecurityGroupsArgs(vpc_id="vpc-1", **args)), allowed=[GROUP, INGRESS, EGRESS]
    )


def rules(record: Record, token: str) -> set[tuple[str, str, str, tuple[int, int] | None]]:
    """Whose, from or to where, protocol, ports."""
    names = {group.id: group.name.removeprefix("groups-") for group in record.of(GROUP)}

    def read(rule: Made) -> tuple[str, str, str, tuple[int, int] | None]:
        said = rule.inputs
        other = said.get("referencedSecurityGroupId")
        where = names[other] if other else said.get("cidrIpv4") or said["prefixListId"]
        ports = (int(said["fromPort"]), int(said["toPort"])) if "fromPort" in said else None
        return names[said["securityGroupId"]], where, said["ipProtocol"], ports

    read_ = [read(rule) for rule in record.of(token)]
    assert len(read_) == len(set(read_)), "AWS refuses a rule that is there already"
    return set(read_)


def test_code_servers_take_grpc_from_the_agent_and_from_runs_and_nothing_else_gets_in() -> None:
    assert rules(made(), INGRESS) == {
        ("code", "agent", "tcp", (4000, 4000)),
        ("code", "code", "tcp", (4000, 4000)),
    }


def test_the_port_is_that_of_dagsters_code_servers() -> None:
    from dagster_cloud.workspace.user_code_launcher.utils import DEFAULT_CODE_SERVER_PORT

    from infra.security_groups import CODE_PORT

    assert CODE_PORT == DEFAULT_CODE_SERVER_PORT


def test_by_default_both_may_go_everywhere() -> None:
    assert rules(made(), EGRESS) == {("agent", "0.0.0.0/0", "-1", None), ("code", "0.0.0.0/0", "-1", None)}


def test_listed_destinations_are_all_that_tasks_may_reach_beside_code_servers() -> None:
    destinations = [Destination("10.0.0.0/8"), Destination("pl-63a5400a", (443, 443)), Destination("52.1.2.0/24")]
    record = made(destinations=destinations)

    assert rules(record, EGRESS) == {
        (who, *rule)
        for who in ("agent", "code")
        for rule in (
            ("code", "tcp", (4000, 4000)),
            ("10.0.0.0/8", "-1", None),
            ("52.1.2.0/24", "-1", None),
            ("pl-63a5400a", "tcp", (443, 443)),
        )
    }


def test_no_destination_at_all_leaves_the_way_to_code_servers() -> None:
    assert rules(made(destinations=[]), EGRESS) == {(who, "code", "tcp", (4000, 4000)) for who in ("agent", "code")}


def test_s3_is_let_out_by_its_prefix_list_where_ways_are_listed() -> None:
    record = made(destinations=[], s3_prefix_list_id="pl-6da54004")

    assert ("code", "pl-6da54004", "tcp", (443, 443)) in rules(record, EGRESS)


def test_another_order_of_destinations_changes_nothing() -> None:
    listed = [Destination("10.0.0.0/8"), Destination("192.168.0.0/16"), Destination("10.0.0.0/8", (443, 443))]

    def shown(record: Record) -> dict[str, Any]:
        return {one.name: one.inputs for one in record.resources}

    assert shown(made(destinations=listed)) == shown(made(destinations=listed[::-1]))


def test_rules_are_resources_of_their_own_and_groups_have_none_inside() -> None:
    record = made()

    for group in record.of(GROUP):
        assert group.inputs.keys() == {"description", "vpcId", "tags"}, "rules inside would undo rules beside"
        assert group.parent == "groups"
    assert record.value(record.result.agent_id) == record.named("groups-agent").id
    assert record.value(record.result.code_id) == record.named("groups-code").id


def test_descriptions_have_only_characters_that_aws_takes() -> None:
    record = made(destinations=[Destination("10.0.0.0/8")], s3_prefix_list_id="pl-1")

    for one in record.of(GROUP) + record.of(INGRESS) + record.of(EGRESS):
        assert re.fullmatch(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=;{}!$*]{1,255}", one.inputs["description"])
        assert one.inputs["tags"] == {"Name": one.name}


@pytest.mark.parametrize(
    ("destinations", "said"),
    [
        ([Destination("10.0.0.1/8")], "neither an IPv4 network nor a prefix list"),
        ([Destination("dagster.cloud")], "neither an IPv4 network nor a prefix list"),
        ([Destination("::/0")], "neither an IPv4 network nor a prefix list"),
        ([Destination("10.0.0.0/8"), Destination("10.0.0.0/8")], "10.0.0.0-8 more than once"),
    ],
)
def test_wrong_destinations_are_refused(destinations: list[Destination], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        made(destinations=destinations)
    assert said in caught.value.sentence()


def adopted(network_of: dict[str, str]) -> Record:
    return recording.run(
        lambda: adopted_groups("vpc-1", "sg-agent", "sg-code"),
        answers={LOOKED_UP: lambda asked: {"id": asked["id"], "vpcId": network_of[asked["id"]]}},
    )


def test_groups_that_were_there_are_used_as_they_are() -> None:
    record = adopted({"sg-agent": "vpc-1", "sg-code": "vpc-1"})

    groups = record.result
    assert (record.value(groups.agent_id), record.value(groups.code_id)) == ("sg-agent", "sg-code")
    assert record.resources == [], "their rules are their owner's"


def test_a_group_of_another_network_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match="sg-code for code belongs to vpc-2, not to vpc-1"):
        adopted({"sg-agent": "vpc-1", "sg-code": "vpc-2"})
