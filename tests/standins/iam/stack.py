"""One stack in one account, beside another stack: what its roles are granted, and what AWS knows there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from agent import ecs_policies
from agent.ecs_grants import NamedByLocations
from agent.ecs_names import STACK_TAG, EcsNames
from agent.ecs_policies import PolicyScope
from infra.bucket import access_statements, bucket_statements
from infra.place import Place
from infra.repository import login_statement, pull_statement
from infra.roles import task_trust
from infra.statements import Statement, policy_text
from tests.standins.iam.evaluator import Evaluator
from tests.standins.iam.facts import StaticFacts, TaskDefinition

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
PLACE: Final = Place(ACCOUNT, REGION)
NAMES: Final = EcsNames.of("prod", ACCOUNT, REGION)
OTHERS: Final = EcsNames.of("dev", ACCOUNT, REGION)

ROLES: Final = {what: f"arn:aws:iam::{ACCOUNT}:role/{NAMES.role(what)}" for what in ("agent", "code", "location-sales")}
ROLES |= {f"{of}-execution": f"arn:aws:iam::{ACCOUNT}:role/{NAMES.role(f'{of}-execution')}" for of in ("agent", "code")}
NAMED_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/team/reports"
ADMIN: Final = f"arn:aws:iam::{ACCOUNT}:role/admin"
MAP_ROLE: Final = "arn:aws:iam::210987654321:role/cloud-map"


def secret(name: str) -> str:
    return NAMES.arn("secretsmanager", f"secret:{name}-AbCd12")


TOKEN: Final = secret(NAMES.token_secret)
DATABASE: Final = secret("team/database")
LOGIN: Final = secret("team/registry-login")
TAGGED: Final = secret("team/tagged")
KEY: Final = NAMES.arn("kms", "key/11111111-2222-3333-4444-555555555555")
NAMESPACE: Final = NAMES.arn("servicediscovery", "namespace/ns-aaaaaaaaaaaaaaaa")
BUCKET: Final = f"arn:aws:s3:::{NAMES.bucket}"
REPOSITORY: Final = NAMES.arn("ecr", f"repository/{NAMES.repository('sales')}")
PREFIXES: Final = ("assets/", "compute-logs/")

SCOPE: Final = PolicyScope(
    names=NAMES,
    cluster=NAMES.cluster,
    namespace_arn=NAMESPACE,
    token_secret_arn=TOKEN,
    code_role_arns=(ROLES["code"], ROLES["location-sales"]),
    code_execution_role_arn=ROLES["code-execution"],
    agent_log_group=NAMES.agent_log_group,
    code_log_group=NAMES.code_log_group,
    named=NamedByLocations(task_role_arns=(NAMED_ROLE,), secret_arns=(DATABASE,), repository_credential_arns=(LOGIN,)),
)

Granted = Mapping[str, Sequence[Statement]]


def granted(scope: PolicyScope = SCOPE, key: str | None = None) -> dict[str, tuple[Statement, ...]]:
    """All statements of the stack's roles, those of the bucket and the repositories among them, by the role's ARN."""
    share = tuple(
        statement for prefix in PREFIXES for statement in access_statements(BUCKET, prefix, PLACE, key, write=True)
    )
    pull = (login_statement(), pull_statement([REPOSITORY]))
    return {
        ROLES["agent"]: ecs_policies.agent_statements(scope),
        ROLES["agent-execution"]: ecs_policies.agent_execution_statements(scope),
        ROLES["code"]: (*ecs_policies.code_statements(scope), *share),
        ROLES["code-execution"]: (*ecs_policies.code_execution_statements(scope), *pull),
    }


def evaluator(of: Granted) -> Evaluator:
    """Decides by these statements, read back from the text that AWS would get."""
    documents = {role: [json.loads(policy_text(statements))] for role, statements in of.items()}
    return Evaluator(lambda role: documents.get(role, []))


# What stands in the account -------------------------------------------------------------------------------------------

SERVER: Final = "sales-prod-6b1e9c"
SERVER_ARN: Final = NAMES.arn("ecs", f"service/{NAMES.cluster}/{SERVER}")
AGENT_SERVICE_ARN: Final = NAMES.arn("ecs", f"service/{NAMES.cluster}/{NAMES.service}")
SHARED_SERVICE_ARN: Final = NAMES.arn("ecs", f"service/{NAMES.cluster}/somebodys-web")
SERVER_TASK: Final = NAMES.arn("ecs", f"task/{NAMES.cluster}/11111111111111111111111111111111")
RUN_TASK: Final = NAMES.arn("ecs", f"task/{NAMES.cluster}/22222222222222222222222222222222")
AGENT_TASK: Final = NAMES.arn("ecs", f"task/{NAMES.cluster}/33333333333333333333333333333333")
SHARED_RUN_TASK: Final = NAMES.arn("ecs", f"task/{NAMES.cluster}/44444444444444444444444444444444")
COPIED_SERVICE_ARN: Final = OTHERS.arn("ecs", f"service/{OTHERS.cluster}/{SERVER}")
COPIED_TASK: Final = OTHERS.arn("ecs", f"task/{OTHERS.cluster}/55555555555555555555555555555555")
# In another cluster, with this stack's tags: tags are no secret, and somebody may have copied them.
SERVER_NAME: Final = NAMES.arn("servicediscovery", "service/srv-aaaaaaaaaaaaaaaa")
OTHER_NAME: Final = NAMES.arn("servicediscovery", "service/srv-bbbbbbbbbbbbbbbb")
DISTANT_NAMESPACE: Final = f"arn:aws:servicediscovery:{REGION}:210987654321:namespace/ns-aaaaaaaaaaaaaaaa"
OTHER_NAMESPACE: Final = NAMES.arn("servicediscovery", "namespace/ns-bbbbbbbbbbbbbbbb")
SERVER_FAMILY: Final = f"{NAMES.server_prefix}_acme_prod_sales_0a1b2c3d"
RUN_FAMILY: Final = f"{NAMES.run_prefix}_acme_prod_sales_0a1b2c3d___repository___12345678_daily_87654321"

_OURS = {STACK_TAG: NAMES.base}
_THEIRS = {STACK_TAG: OTHERS.base}
_LOCATION = {
    "dagster/deployment_name": "prod",
    "dagster/location_name": "sales",
    "dagster/location_hash": "0a1b2c3d",
    "dagster/agent_id": "5f3c",
    "dagster/grpc_server": "1",
}
SERVER_TAGS: Final = {**_LOCATION, **_OURS}
_RUN = {"dagster/run_id": "8d1f", "dagster/job_name": "daily"}


def definition(family: str, task_role: str | None, execution_role: str) -> TaskDefinition:
    return TaskDefinition(NAMES.arn("ecs", f"task-definition/{family}:7"), task_role, execution_role)


_DEFINITIONS = {
    SERVER_FAMILY: definition(SERVER_FAMILY, ROLES["code"], ROLES["code-execution"]),
    RUN_FAMILY: definition(RUN_FAMILY, ROLES["code"], ROLES["code-execution"]),
    NAMES.task_family: definition(NAMES.task_family, ROLES["agent"], ROLES["agent-execution"]),
    f"{OTHERS.run_prefix}_acme": definition(f"{OTHERS.run_prefix}_acme", ROLES["code"], ROLES["code-execution"]),
    "somebodys-web": definition("somebodys-web", None, ROLES["code-execution"]),
}
FACTS: Final = StaticFacts(
    account=ACCOUNT,
    region=REGION,
    tags_of={
        SERVER_ARN: SERVER_TAGS,
        AGENT_SERVICE_ARN: _OURS,
        SHARED_SERVICE_ARN: {**_LOCATION, **_THEIRS},
        COPIED_SERVICE_ARN: SERVER_TAGS,
        COPIED_TASK: {**_RUN, **_OURS},
        SERVER_TASK: SERVER_TAGS,
        RUN_TASK: {**_RUN, **_OURS},
        AGENT_TASK: _OURS,
        SHARED_RUN_TASK: {**_RUN, **_THEIRS},
        SERVER_NAME: SERVER_TAGS,
        OTHER_NAME: {**_LOCATION, **_THEIRS},
        TAGGED: {"dagster": ""},
    },
    task_definitions=_DEFINITIONS,
    resource_policies={BUCKET: json.loads(policy_text(bucket_statements(BUCKET)))},
    trust_policies={role: json.loads(policy_text([task_trust(PLACE)])) for role in ROLES.values()},
)
_LET_IN = {"Effect": "Allow", "Principal": {"AWS": ROLES["agent"]}, "Action": "sts:AssumeRole"}
DISTANT_FACTS: Final = StaticFacts(
    account="210987654321",
    region=REGION,
    tags_of={SERVER_NAME.replace(ACCOUNT, "210987654321"): SERVER_TAGS},
    trust_policies={MAP_ROLE: {"Statement": [_LET_IN]}},
)
