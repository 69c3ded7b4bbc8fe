"""A Hybrid agent as a container app of Azure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_azure_native import app

from agent.azure_identities import AzureIdentities
from agent.azure_launcher import AzureCodePlace
from agent.azure_names import AzureNames
from agent.azure_spec import AzureAgentSpec
from agent.azure_task import TOKEN_SECRET, AzureAgentText, LogsContainer, agent_container
from infra.late_errors import told


@dataclass(frozen=True)
class AzureAgentArgs:
    """What an agent in Azure needs."""

    spec: AzureAgentSpec
    names: AzureNames
    resource_group: pulumi.Input[str]
    environment_id: pulumi.Input[str]
    environment_name: pulumi.Input[str]
    identities: AzureIdentities
    deployment: str
    label: str
    """How it calls itself in Dagster+."""
    agent_url: str
    """Where Dagster+ answers agents."""
    token_uri: pulumi.Input[str]
    """The version of the token's secret in Key Vault: another one starts the agent anew."""
    registry: str | None = None
    """The host of the registry whose images the agent's identity may pull."""
    logs: LogsContainer | None = None
    """Where the output of steps goes, if `computeLogs` is `container`."""
    code_environment: Mapping[str, str] = field(default_factory=dict)
    """The stack's own variables for code servers and runs; those of the settings go before."""
    locations: int = 1
    """How many locations the stack serves, for the time that the agent may take to load them."""
    tags: Mapping[str, str] = field(default_factory=dict)
    before_app: Sequence[pulumi.Resource] = ()
    """What must be there before the agent starts, and may go only when it is gone: its rights, and what removes on the
    way down what an agent left behind."""


class AzureAgent(pulumi.ComponentResource):
    """The real ``dagster-cloud agent run`` in a container app without ingress, whose launcher makes apps and jobs.

    There is one replica, always. An update makes a new revision, and Azure takes the old one away when the new one
    runs, so that for some seconds two agents are up.
    """

    label: pulumi.Output[str]
    instance: pulumi.Output[str]
    """Changes whenever the agent is started anew: the name of its latest revision."""
    app_name: pulumi.Output[str]

    def __init__(self, name: str, args: AzureAgentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:AzureAgent", name, None, opts)
        made = self._app(name, args)
        self.label = pulumi.Output.from_input(args.label)
        self.instance = made.latest_revision_name
        self.app_name = made.name
        self.register_outputs({"label": self.label, "app": self.app_name})

    def _app(self, name: str, args: AzureAgentArgs) -> app.ContainerApp:
        agent = args.identities.agent
        return app.ContainerApp(
            f"{name}-app",
            container_app_name=args.names.agent_app,
            resource_group_name=args.resource_group,
            location=args.names.location,
            managed_environment_id=args.environment_id,
            identity=app.ManagedServiceIdentityArgs(
                type=app.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[agent.id]
            ),
            configuration=app.ConfigurationArgs(
                active_revisions_mode=app.ActiveRevisionsMode.SINGLE,
                secrets=[app.SecretArgs(name=TOKEN_SECRET, key_vault_url=args.token_uri, identity=agent.id)],
                registries=self._registries(args),
            ),
            template=app.TemplateArgs(
                containers=[_container(args)],
                scale=app.ScaleArgs(min_replicas=1, max_replicas=1),
                termination_grace_period_seconds=args.spec.stop_timeout_seconds,
            ),
            tags=dict(args.tags),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.before_app),
                custom_timeouts=pulumi.CustomTimeouts(delete="30m"),
                delete_before_replace=True,
            ),
        )

    def _registries(self, args: AzureAgentArgs) -> list[app.RegistryCredentialsArgs] | None:
        if args.registry is None or args.spec.image.partition("/")[0] != args.registry:
            return None
        return [app.RegistryCredentialsArgs(server=args.registry, identity=args.identities.agent.id)]


def _container(args: AzureAgentArgs) -> pulumi.Output[Any]:
    known = pulumi.Output.all(
        environment=args.environment_name,
        agent_client_id=args.identities.agent.client_id,
        code_client_id=args.identities.code.client_id,
        code_id=args.identities.code.id,
        token_uri=args.token_uri,
    )
    return known.apply(told(lambda values: _container_of(args, values)))


def _container_of(args: AzureAgentArgs, known: Mapping[str, Any]) -> dict[str, Any]:
    place = AzureCodePlace(
        subscription=args.names.subscription,
        resource_group=args.names.resource_group,
        environment=known["environment"],
        location=args.names.location,
        identity_id=known["code_id"],
        identity_client_id=known["code_client_id"],
        variables=args.code_environment,
    )
    said = AzureAgentText(
        label=args.label,
        deployment=args.deployment,
        url=args.agent_url,
        identity_client_id=known["agent_client_id"],
        token_version=str(known["token_uri"]).rpartition("/")[2],
        locations=args.locations,
        logs=args.logs,
    )
    return agent_container(args.spec, place, said)
