"""The whole of an adoption: Dagster+ and AWS asked, and what they tell said as a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid.adopt.account import Account
from hybrid.adopt.agent_in_aws import FoundAgent, digest_of, read_agent, the_agent_of
from hybrid.adopt.agent_settings import AgentSettings, new_label, settings_of
from hybrid.adopt.cloudformation import CloudFormationStack, agents_service, read_stack
from hybrid.adopt.locations import AdoptedLocation, Ground, LeftLocation, adopted, folders_of
from hybrid.adopt.organization import FoundOrganization, read_organization
from hybrid.adopt.plan import Adoption
from hybrid.adopt.remarks import Remark
from hybrid.aws.errors import AwsError
from hybrid.aws.registry import EcrAddress
from hybrid.delivery.images.reference import Reference
from hybrid.plus import Endpoint, PlusClient

_ROLES = ("task_role_arn", "execution_role_arn")


@dataclass(frozen=True)
class WhichAgent:
    """How the agent is named: by a CloudFormation stack, or by cluster and service. None of them: there is none."""

    cloudformation: str | None = None
    cluster: str | None = None
    service: str | None = None
    """None: the only one of the cluster."""


@dataclass
class Survey:
    """Asks, and changes nothing. ``account`` is opened by whoever makes this; None of its calls is made for an
    organization without an agent, but to look for digests of images."""

    root: Path
    stack: str
    endpoint: Endpoint
    region: str
    client: PlusClient
    account: Account
    which: WhichAgent
    _unasked: list[Remark] = field(default_factory=list)

    def adoption(self) -> Adoption:
        """Raises ``HybridError``: no such stack, cluster or service, several agents, another account, no permission,
        a folder under ``locations/`` that is wrong, whatever Dagster+ says."""
        organization = read_organization(self.client)
        agent, remarks = self._agent(organization)
        locations, left = self._locations(organization, agent.agent)
        aws = {"account": self.account.account or self.account.caller().account, "region": self.account.region}
        return Adoption(
            stack=self.stack,
            endpoint=self.endpoint,
            region=self.region,
            agent=self._labelled(agent.agent, organization),
            aws={**aws, **agent.aws},
            locations=locations,
            left=left,
            found_remarks=[*organization.remarks(), *agent.remarks, *remarks, *self._unasked],
        )

    def _agent(self, organization: FoundOrganization) -> tuple[AgentSettings, list[Remark]]:
        stack: CloudFormationStack | None = None
        if self.which.cloudformation is not None:
            stack = read_stack(self.account, self.which.cloudformation)
            cluster, service = agents_service(stack, self.endpoint.organization, self.endpoint.deployment)
        elif self.which.cluster is not None:
            cluster = self.which.cluster
            service = self.which.service or the_agent_of(self.account, cluster)
        else:
            nothing = AgentSettings(agent={"kind": "ecs"})
            nothing.remark("new", "all in AWS", "network, cluster, namespace, bucket, roles, and the agent itself")
            return nothing, []
        found = read_agent(self.account, cluster, service)
        said = settings_of(self.account, found, self.endpoint)
        remarks = [_told_of(found, organization)]
        if stack is not None:
            remarks.append(_of_stack(stack, organization))
        return said, remarks

    def _labelled(self, agent: Mapping[str, Any], organization: FoundOrganization) -> dict[str, Any]:
        label = new_label(self.stack, organization.agents)
        kind = {"kind": agent["kind"]}
        return {**kind, **({"label": label} if label else {}), **agent}

    def _locations(
        self, organization: FoundOrganization, agent: Mapping[str, Any]
    ) -> tuple[list[AdoptedLocation], list[LeftLocation]]:
        queues = agent.get("queues") or {"includeDefault": True, "additional": []}
        ground = Ground(
            root=self.root,
            environment=self.stack,
            folders=folders_of(self.root, self.stack),
            digest_of=self._digest,
            queues={*queues["additional"], *([None] if queues["includeDefault"] else [])},
        )
        allowed = agent.get("allowedLocations")
        found: list[AdoptedLocation] = []
        left: list[LeftLocation] = []
        for name, document in sorted(organization.documents.items()):
            if allowed is not None and name not in allowed:
                left.append(LeftLocation(name, "this agent may not serve it (`allowedLocations`)"))
                continue
            location = adopted(name, document, ground)
            if isinstance(location, LeftLocation):
                left.append(location)
            else:
                found.append(location)
        return found, left

    def _digest(self, image: Reference) -> str | None:
        """Asked of ECR alone: there the credentials that are at hand count."""
        address = EcrAddress.parse(image.registry)
        if address is None:
            return None
        account = self.account
        if address.region != account.region:
            account = Account(address.region, account.account)
        try:
            return digest_of(account, address.account, image.path, image.tag or "latest")
        except AwsError as error:
            self._unasked.append(Remark("unsaid", str(image), f"its digest could not be asked for: {error.what}"))
            return None


def _told_of(found: FoundAgent, organization: FoundOrganization) -> Remark:
    """What Dagster+ says of the agent that was found."""
    api = found.settings.document.get("dagster_cloud_api") if found.settings else None
    label = api.get("agent_label") if isinstance(api, dict) else None
    mine = [agent for agent in organization.running if label is None or agent.label == label]
    if not mine:
        named = f" labelled '{label}'" if label else ""
        return Remark(
            "danger", "agent", f"Dagster+ hears of no agent{named} that is RUNNING; see that it is well first"
        )
    if len(mine) > 1:
        labels = ", ".join(sorted(agent.label or agent.id for agent in mine))
        text = f"several are RUNNING ({labels}); '{found.service}' is adopted, and the others go on as they are"
        return Remark("left", "agents", text)
    return Remark("left", "agent", f"'{found.service}' goes on until you stop it, once the new one is RUNNING")


def _of_stack(stack: CloudFormationStack, organization: FoundOrganization) -> Remark:
    contexts = [(each.get("container_context") or {}).get("ecs") or {} for each in organization.documents.values()]
    named = {str(context[key]).rpartition("/")[2] for context in contexts for key in _ROLES if context.get(key)}
    keep, own = stack.to_keep(frozenset(named)), stack.agents_own()
    return Remark(
        "left",
        f"CloudFormation stack {stack.name}",
        f"before it is deleted, its template has to say `DeletionPolicy: Retain` for {', '.join(keep) or 'nothing'}; "
        f"{', '.join(own)} and the rest may go with it",
    )
