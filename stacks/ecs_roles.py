"""The roles of an ECS stack: of the agent, of user code, of what starts either, and of CI; each with its policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pulumi
import pulumi_aws as aws

from agent import ecs_policies, ecs_reading
from agent.ecs_grants import NamedByLocations
from agent.ecs_ground import EcsGround
from agent.ecs_names import EcsNames
from agent.ecs_policies import PolicyScope
from agent.ecs_reading import ReadScope
from agent.ecs_spec import EcsAgentSpec
from hybrid.errors import SettingsError
from infra.bucket import Bucket
from infra.ci_role import GITHUB, CiRole, CiRoleArgs, Subject
from infra.guest_role import GuestRole, GuestRoleArgs
from infra.late_errors import told as late
from infra.place import Place
from infra.repository import Repository, grant_pull, grant_push, login_statement, pull_statement
from infra.roles import RoleArgs, TaskRole, refuse_beyond_limit
from infra.statements import Statement, policy_text
from stacks import asset_value_settings
from stacks.asset_value_settings import WRITER, WriterSettings
from stacks.aws_settings import AwsSettings, CiSettings
from stacks.ecs_facts import location_role

ASSETS = f"{asset_value_settings.ASSETS}/"
"""Where in the bucket the values of assets lie."""
COMPUTE_LOGS = "compute-logs/"
"""Where in the bucket the output of steps lies, when it goes there."""

Statements = Callable[[PolicyScope], tuple[Statement, ...]]


@dataclass(frozen=True)
class PulledFrom:
    """ARNs of repositories that are not the stack's, by whose image comes from there."""

    locations: Sequence[str] = ()
    agent: Sequence[str] = ()


@dataclass(frozen=True)
class EcsRoles:
    """Makes the roles, and then grants them what they need. Their ARNs are known before they are made."""

    names: EcsNames
    settings: AwsSettings
    spec: EcsAgentSpec
    opts: pulumi.ResourceOptions

    def role_arn(self, what: str) -> str:
        """The ARN of one of the stack's roles."""
        return self._args(what, "").arn

    def make(self) -> Mapping[str, TaskRole]:
        """By what they are for."""
        described = {
            "agent": "Dagster's agent: starts and stops code servers and runs of its stack",
            "agent-execution": "Starts the agent's task",
            "code": "Code of the stack's locations",
            "code-execution": "Starts code servers and runs",
            **{
                location_role(location): f"Code of the location {location}" for location in self.settings.location_roles
            },
        }
        made = {what: TaskRole(what, self._args(what, text), self.opts) for what, text in described.items()}
        self._attach("code", made["code"], self.settings.code_policy_arns)
        for location, role in self.settings.location_roles.items():
            self._attach(location_role(location), made[location_role(location)], role.policy_arns)
        return made

    def grant(
        self,
        roles: Mapping[str, TaskRole],
        ground: EcsGround,
        token_secret_arn: pulumi.Output[str],
        named: NamedByLocations,
    ) -> list[pulumi.Resource]:
        """What the agent and ECS need; also what the agent has to wait for before it starts."""

        def told(statements: Statements) -> pulumi.Output[Sequence[Statement]]:
            known = pulumi.Output.all(ground.cluster_name, ground.namespace_arn, token_secret_arn)
            return known.apply(late(lambda values: statements(self._scope(*values, named=named))))

        made: list[pulumi.Resource] = [
            roles["agent"].allow("agent", told(ecs_policies.agent_statements)),
            roles["agent-execution"].allow("start", told(ecs_policies.agent_execution_statements)),
            roles["code-execution"].allow("start", told(ecs_policies.code_execution_statements)),
        ]
        if self.spec.exec:
            code = [name for name in roles if name == "code" or name.startswith("location-")]
            made += [roles[name].allow("shell", told(ecs_policies.code_statements)) for name in code]
        return made

    def grant_bucket(self, roles: Mapping[str, TaskRole], bucket: Bucket) -> list[pulumi.Resource]:
        """Every role of code gets its part of the bucket; the agent gets none."""
        made: list[pulumi.Resource] = []
        for what, prefixes in self._prefixes().items():
            for prefix in prefixes:
                made.append(bucket.grant_read_write(prefix.strip("/").replace("/", "-") or "all", roles[what], prefix))
        return made

    def grant_images(
        self,
        roles: Mapping[str, TaskRole],
        locations: Sequence[Repository],
        agent: Repository | None,
        elsewhere: PulledFrom,
    ) -> list[pulumi.Resource]:
        """Pulling, from the stack's own repositories and from others."""
        made: list[pulumi.Resource] = []
        if locations:
            made.append(grant_pull("pull", roles["code-execution"], locations))
        for what, arns in (("code-execution", elsewhere.locations), ("agent-execution", elsewhere.agent)):
            if arns:
                made.append(roles[what].allow("pull-elsewhere", [login_statement(), pull_statement(arns)]))
        if agent is not None:
            made.append(grant_pull("pull", roles["agent-execution"], [agent]))
        return made

    def make_ci(
        self,
        ci: CiSettings,
        repositories: Sequence[Repository],
        bucket: str,
        elsewhere: PulledFrom,
        *,
        writer: bool = False,
    ) -> None:
        """The role by which CI pushes, and those by which it only reads, if they are wanted. ``writer``: whether there
        is that of ``make_writer``, which they read, too."""
        subject = Subject.github(ci.github, branch=None if ci.environment else ci.branch, environment=ci.environment)
        args = CiRoleArgs(
            **vars(self._args("ci", f"CI of {ci.github}")), subjects=(subject,), provider_arn=ci.provider_arn
        )
        role = CiRole("ci", args, self.opts)
        if repositories:
            grant_push("push", role, repositories)
        scope = self._read_scope(ci, bucket, elsewhere, [WRITER] if writer else [])
        for what, wanted, another, statements in (
            ("review", ci.reviews, ci.review_role, ecs_reading.review_statements(scope)),
            ("drift", ci.drift, ci.drift_role, ecs_reading.drift_statements(scope)),
        ):
            if wanted:
                self._make_reader(what, ci, role).allow("read", statements)
            elif another is not None:
                self._add_to_role(what, another, statements)

    def make_writer(self, writer: WriterSettings, bucket: Bucket, prefix: str, today: date | None = None) -> GuestRole:
        """The role by which a task on Serverless copies stored values into the bucket. ``today``: in UTC, by default
        what it is. Raises ``SettingsError`` when its time is over: what nobody can take any more should not stand."""
        if (today or datetime.now(UTC).date()) > writer.until:
            raise SettingsError(
                f"`hybrid:assetValues.writer` ended on {writer.until.isoformat()}.",
                why="Nobody can take its role any more; the role itself still stands.",
                next_step="take `writer` out of the stack file, which removes the role; or give a later `until`.",
            )
        args = GuestRoleArgs(
            **vars(self._args(WRITER, "Copies stored asset values from Dagster+ Serverless into the bucket")),
            principal=writer.principal,
            external_id=writer.external_id,
            until=writer.until,
        )
        role = GuestRole(WRITER, args, self.opts)
        bucket.grant_adding("copy", role, f"{prefix}/")
        return role

    def _make_reader(self, what: str, ci: CiSettings, first: CiRole) -> CiRole:
        """Bound to the GitHub environment of its name. It takes the issuer of the first role, which may make it."""
        place = self._args(what, "").place
        args = CiRoleArgs(
            **vars(self._args(what, f"CI of {ci.github}, environment {what}: reads only")),
            subjects=(Subject.github(ci.github, environment=what),),
            provider_arn=place.global_arn("iam", f"oidc-provider/{GITHUB.removeprefix('https://')}"),
        )
        opts = pulumi.ResourceOptions.merge(self.opts, pulumi.ResourceOptions(depends_on=[first]))
        return CiRole(what, args, opts)

    def _add_to_role(self, what: str, role: str, statements: Sequence[Statement]) -> None:
        """A role that another stack of the account makes reads this stack too."""
        policy = policy_text(statements)
        refuse_beyond_limit(role, [policy])
        aws.iam.RolePolicy(f"{what}-read", name=self.names.base, role=role, policy=policy, opts=self.opts)

    def _read_scope(self, ci: CiSettings, bucket: str, elsewhere: PulledFrom, more: Sequence[str]) -> ReadScope:
        locations = (f"location-{location}" for location in self.settings.location_roles)
        whats = ["agent", "agent-execution", "code", "code-execution", *locations, "ci"]
        whats += [what for what, wanted in (("review", ci.reviews), ("drift", ci.drift)) if wanted]
        whats += more
        return ReadScope(
            names=self.names,
            bucket=bucket,
            agent_role_arn=self.role_arn("agent"),
            role_arns=tuple(self.role_arn(what) for what in whats),
            cluster=self.spec.cluster or self.names.cluster,
            repositories_elsewhere=tuple(dict.fromkeys((*elsewhere.locations, *elsewhere.agent))),
            state_bucket=ci.state_bucket,
            state_key_arn=ci.state_key_arn,
            secrets_key_arn=ci.secrets_key_arn,
            token_key_arn=self.settings.secret_key_arn,
        )

    def _prefixes(self) -> dict[str, tuple[str, ...]]:
        logs = (COMPUTE_LOGS,) if self.spec.compute_logs == "bucket" else ()
        own = {
            location_role(location): ((ASSETS,) if role.prefixes is None else role.prefixes) + logs
            for location, role in self.settings.location_roles.items()
        }
        return {"code": (ASSETS, *logs), **own}

    def _args(self, what: str, description: str) -> RoleArgs:
        return RoleArgs(
            name=self.names.role(what),
            description=description,
            place=Place(self.names.account, self.names.region, self.names.partition),
            path=self.settings.role_path,
            permissions_boundary=self.settings.permissions_boundary,
        )

    def _attach(self, what: str, role: TaskRole, policy_arns: Sequence[str]) -> None:
        for arn in policy_arns:
            aws.iam.RolePolicyAttachment(
                f"{what}-{arn.rsplit('/', 1)[-1]}",
                role=role.role_name,
                policy_arn=arn,
                opts=pulumi.ResourceOptions(parent=role),
            )

    def _scope(
        self, cluster: str, namespace_arn: str, token_secret_arn: str, *, named: NamedByLocations
    ) -> PolicyScope:
        adopted = self.spec.namespace
        keys = (self.settings.secret_key_arn,) if self.settings.secret_key_arn else ()
        return PolicyScope(
            names=self.names,
            cluster=cluster,
            namespace_arn=namespace_arn,
            token_secret_arn=token_secret_arn,
            code_role_arns=(
                self.role_arn("code"),
                *(self.role_arn(location_role(location)) for location in self.settings.location_roles),
            ),
            code_execution_role_arn=self.role_arn("code-execution"),
            agent_log_group=self.names.agent_log_group,
            code_log_group=self.names.code_log_group,
            named=named,
            service_discovery_role_arn=adopted.role_arn if adopted else None,
            agent_image_credentials_arn=self.spec.image_credentials,
            key_arns=keys,
            exec_enabled=self.spec.exec,
        )
