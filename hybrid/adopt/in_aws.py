"""An agent on ECS as a place to adopt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hybrid.adopt.account import Account
from hybrid.adopt.agent_in_aws import digest_of, read_agent, the_agent_of
from hybrid.adopt.agent_settings import AgentSettings, settings_of
from hybrid.adopt.cloudformation import CloudFormationStack, agents_service, read_stack
from hybrid.adopt.organization import FoundOrganization
from hybrid.adopt.place import FoundPlace, told_of
from hybrid.adopt.remarks import Remark
from hybrid.aws.registry import EcrAddress
from hybrid.delivery.images.reference import Reference
from hybrid.plus import Endpoint

_ROLES = ("task_role_arn", "execution_role_arn")


@dataclass(frozen=True)
class WhichService:
    """How the agent is named: by a CloudFormation stack, or by cluster and service. None of them: there is none."""

    cloudformation: str | None = None
    cluster: str | None = None
    service: str | None = None
    """None: the only one of the cluster."""


@dataclass(frozen=True)
class InAws:
    """``account`` is opened by whoever makes this; None of its calls is made for an organization without an agent, but
    to look for digests of images."""

    kind: ClassVar[str] = "ecs"
    makes_registry: ClassVar[bool] = True

    account: Account
    which: WhichService

    def find(self, endpoint: Endpoint, organization: FoundOrganization) -> FoundPlace:
        stack: CloudFormationStack | None = None
        if self.which.cloudformation is not None:
            stack = read_stack(self.account, self.which.cloudformation)
            cluster, service = agents_service(stack, endpoint.organization, endpoint.deployment)
        elif self.which.cluster is not None:
            cluster = self.which.cluster
            service = self.which.service or the_agent_of(self.account, cluster)
        else:
            nothing = AgentSettings(agent={"kind": self.kind})
            nothing.remark("new", "all in AWS", "network, cluster, namespace, bucket, roles, and the agent itself")
            return self._found(nothing)
        found = read_agent(self.account, cluster, service)
        said = settings_of(self.account, found, endpoint)
        api = found.settings.document.get("dagster_cloud_api") if found.settings else None
        label = api.get("agent_label") if isinstance(api, dict) else None
        remarks = [told_of(label, found.service, organization)]
        if stack is not None:
            remarks.append(_of_stack(stack, organization))
        return self._found(said, *remarks)

    def digest(self, image: Reference) -> str | None:
        """Asked of ECR alone: there the credentials that are at hand count."""
        address = EcrAddress.parse(image.registry)
        if address is None:
            return None
        account = self.account
        if address.region != account.region:
            account = Account(address.region, account.account)
        return digest_of(account, address.account, image.path, image.tag or "latest")

    def _found(self, said: AgentSettings, *remarks: Remark) -> FoundPlace:
        place = {"account": self.account.account or self.account.caller().account, "region": self.account.region}
        return FoundPlace(said, {"aws": {**place, **said.aws}}, remarks)


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
