"""Who may connect to whom: a group for the agent and one for what it runs. Nothing from outside the two gets in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.late_errors import told

CODE_PORT: Final = 4000
"""Where code servers listen (``DEFAULT_CODE_SERVER_PORT``, dagster_cloud/workspace/user_code_launcher/utils.py)."""
EVERYWHERE: Final = "0.0.0.0/0"


@dataclass(frozen=True)
class Destination:
    """What tasks may reach, when that is not everything."""

    to: str
    """A network (``10.0.0.0/8``) or a prefix list of AWS (``pl-…``)."""
    ports: tuple[int, int] | None = None
    """The first and the last port of TCP. None, the default: every port of every protocol."""

    @property
    def label(self) -> str:
        """For names, which must stay when a list is put into another order."""
        where = self.to.replace("/", "-")
        return where if self.ports is None else f"{where}-{self.ports[0]}-{self.ports[1]}"


@dataclass(frozen=True)
class SecurityGroupsArgs:
    """For which network, and how far out."""

    vpc_id: pulumi.Input[str]
    destinations: Sequence[Destination] | None = None
    """What agent and code may reach beside each other. None, the default: everything, by IPv4. Otherwise the services
    of AWS have to be among them or have endpoints inside, since Fargate pulls images, fetches secrets and ships logs
    through these groups. DNS of the network itself needs no rule."""
    s3_prefix_list_id: pulumi.Input[str] | None = None
    """Let tasks reach S3 by its gateway endpoint where ``destinations`` are listed."""


@dataclass(frozen=True)
class GroupIds:
    """Groups that were there before."""

    agent_id: pulumi.Output[str]
    code_id: pulumi.Output[str]


class SecurityGroups(pulumi.ComponentResource):
    """The groups of the agent's task and of code servers and runs, which share one (the launcher knows one list for
    both).

    - ``agent``: nothing in
    - ``code``: 4000 from ``agent`` and from ``code`` itself, since runs ask code servers too
    - rules for the way out, and for the way from one to the other where that is restricted
    """

    agent_id: pulumi.Output[str]
    code_id: pulumi.Output[str]

    def __init__(self, name: str, args: SecurityGroupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _check(args.destinations or ())
        super().__init__("dagsterhybrid:infra:SecurityGroups", name, None, opts)
        self._name = name
        self._inside = pulumi.ResourceOptions(parent=self)
        agent = self._group("agent", args.vpc_id, "The Dagster+ agent: takes no connections")
        code = self._group("code", args.vpc_id, "Code servers and runs: gRPC from the agent and from runs")
        groups = {"agent": agent.id, "code": code.id}
        for source, source_id in groups.items():
            self._serve(source, source_id, code.id)
            for where, rule in _ways_out(args, code.id).items():
                self._let_out(source, source_id, where, rule)
        self.agent_id = agent.id
        self.code_id = code.id
        self.register_outputs({"agentId": self.agent_id, "codeId": self.code_id})

    def _group(self, what: str, vpc_id: pulumi.Input[str], description: str) -> aws.ec2.SecurityGroup:
        name = f"{self._name}-{what}"
        return aws.ec2.SecurityGroup(
            name, description=description, vpc_id=vpc_id, tags={"Name": name}, opts=self._inside
        )

    def _serve(self, source: str, source_id: pulumi.Input[str], code_id: pulumi.Input[str]) -> None:
        name = f"{self._name}-code-from-{source}"
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=code_id,
            description=f"gRPC of code servers from {source}",
            referenced_security_group_id=source_id,
            tags={"Name": name},
            opts=self._inside,
            **_tcp(CODE_PORT, CODE_PORT),
        )

    def _let_out(self, source: str, source_id: pulumi.Input[str], where: str, rule: Mapping[str, Any]) -> None:
        name = f"{self._name}-{source}-{where}"
        aws.vpc.SecurityGroupEgressRule(
            name, security_group_id=source_id, tags={"Name": name}, opts=self._inside, **rule
        )


def adopted_groups(
    vpc_id: pulumi.Input[str], agent: str, code: str, opts: pulumi.InvokeOutputOptions | None = None
) -> GroupIds:
    """Groups by id, of which each must belong to the network. Their rules are their owner's: 4000 from ``agent`` and
    from ``code`` to ``code`` has to be open. What is wrong ends the program, at preview."""

    def checked(what: str, group: str) -> pulumi.Output[str]:
        found = aws.ec2.get_security_group_output(id=group, opts=opts)
        return pulumi.Output.all(found.vpc_id, vpc_id).apply(told(lambda both: _of_network(what, group, *both)))

    return GroupIds(agent_id=checked("agent", agent), code_id=checked("code", code))


def _of_network(what: str, group: str, found: str, wanted: str) -> str:
    if found != wanted:
        raise SettingsError(
            f"The security group {group} for {what} belongs to {found}, not to {wanted}.",
            why="a task's groups are those of the network it runs in",
            next_step=f"give a group of {wanted}.",
        )
    return group


def _check(destinations: Sequence[Destination]) -> None:
    labels = Counter(destination.label for destination in destinations)
    twice = sorted(label for label, times in labels.items() if times > 1)
    if twice:
        raise SettingsError(
            f"Tasks are to reach {', '.join(twice)} more than once.",
            why="AWS refuses a rule that is there already",
            next_step="list each destination once.",
        )
    for destination in destinations:
        if destination.to.startswith("pl-"):
            continue
        try:
            IPv4Network(destination.to)
        except ValueError as error:
            raise SettingsError(
                f"Tasks are to reach {destination.to!r}, which is neither an IPv4 network nor a prefix list.",
                why=str(error),
                next_step="write a network as 10.0.0.0/8 or a prefix list as pl-….",
            ) from None


def _ways_out(args: SecurityGroupsArgs, code_id: pulumi.Input[str]) -> dict[str, dict[str, Any]]:
    """The rules of a group by the end of their names."""
    if args.destinations is None:
        return {"out": {"description": "Everything by IPv4", "cidr_ipv4": EVERYWHERE, "ip_protocol": "-1"}}
    ways = {"to-code": _to_code(code_id)}
    if args.s3_prefix_list_id is not None:
        ways["to-s3"] = {"description": "S3", "prefix_list_id": args.s3_prefix_list_id, **_tcp(443, 443)}
    return ways | {f"to-{destination.label}": _rule(destination) for destination in args.destinations}


def _to_code(code_id: pulumi.Input[str]) -> dict[str, Any]:
    described = {"description": "gRPC to code servers", "referenced_security_group_id": code_id}
    return {**described, **_tcp(CODE_PORT, CODE_PORT)}


def _rule(destination: Destination) -> dict[str, Any]:
    where = "prefix_list_id" if destination.to.startswith("pl-") else "cidr_ipv4"
    ports = {"ip_protocol": "-1"} if destination.ports is None else _tcp(*destination.ports)
    return {"description": "Listed in the settings", where: destination.to, **ports}


def _tcp(first: int, last: int) -> dict[str, Any]:
    return {"ip_protocol": "tcp", "from_port": first, "to_port": last}
