"""docs/iam.md, from the policies themselves: ``python -m agent.iam_reference > docs/iam.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date
from typing import Final

from agent import ecs_policies
from agent.ecs_grants import NamedByLocations
from agent.ecs_names import EcsNames
from agent.ecs_policies import PolicyScope
from agent.ecs_reading import ReadScope, drift_statements, review_statements
from infra.bucket import access_statements
from infra.ci_role import AUDIENCE, GITHUB, Subject, ci_trust
from infra.guest_role import GuestRoleArgs, ending_at, guest_trust
from infra.place import Place
from infra.repository import login_statement, pull_statement
from infra.roles import task_trust
from infra.statements import Statement

_ACCOUNT: Final = "123456789012"
_REGION: Final = "eu-central-1"
_NAMES: Final = EcsNames.of("prod", _ACCOUNT, _REGION)
_PLACE: Final = Place(_ACCOUNT, _REGION)
_SHORTER: Final = {
    f":{_REGION}:{_ACCOUNT}:": ":…:",
    f"::{_ACCOUNT}:": "::…:",
    f"-{_ACCOUNT}-{_REGION}": "-…",
}

_HEAD: Final = """# IAM of an ECS stack

What each role of a stack may do, and why. The tables are made from the policies themselves
(`python -m agent.iam_reference > docs/iam.md`; a test holds this page to them), for a stack named `prod` that names one
secret. `…` stands for the region and the account. The tag `dagster-hybrid/stack` is on everything that the stack makes,
and the agent puts it on everything that the agent makes.

| role | who takes it | for what |
|---|---|---|
| `hybrid-prod-agent` | the agent's task | its calls to AWS |
| `hybrid-prod-agent-execution` | ECS | starting the agent's task |
| `hybrid-prod-code` | code servers and runs | what user code does in AWS; a location may have a role of its own |
| `hybrid-prod-code-execution` | ECS | starting code servers and runs |
| `hybrid-prod-review` (`ci.reviews`) | CI's jobs in the environment `review` | previews of pull requests; only reads |
| `hybrid-prod-drift` (`ci.drift`) | CI's jobs in the environment `drift` | finding drift; only reads |
| `hybrid-prod-stored-values` (`assetValues.writer`) | a task on Serverless | copying stored values, until a day |

"""

_ROLES_END: Final = """
A location's own role (`hybrid-prod-location-<location>`) begins with the same share of the bucket and gets the policies
that the stack file names for it. A permissions boundary and a path may be given to all roles.
"""

_TAIL: Final = """
## What user code cannot do

In Dagster's own CloudFormation template (1.13.18) code servers and runs have the agent's role.

| user code | that template | here |
|---|---|---|
| reads any secret of the account | yes: `secretsmanager:GetSecretValue` on `*` | no; ECS gives it those it names |
| gives any role of the account to a task that it starts | yes: `iam:PassRole` on `*` | no |
| starts, stops and removes tasks and services of the cluster | yes | no |
| registers task definitions of any family | yes | no |
| changes tags of ECS services, tasks and definitions | yes: `ecs:TagResource` on `*` | no |
| removes names of any namespace of Cloud Map | yes: `servicediscovery:DeleteService` on `*` | no |
| reads the logs of the agent and of other locations | yes | no |
| reads and writes the stack's bucket | the template has none | its prefixes only |

User code does hold the agent's token: code servers and runs speak to Dagster+ with it. It opens the deployments that
the token was narrowed to, and nothing in AWS.

## The agent's role beside the template's

| | that template | here |
|---|---|---|
| services and tasks | condition `ecs:cluster` | ARNs of the cluster, and the stack's tag for every change |
| the agent's own service and task | may be changed by it | may not |
| task definitions | any family | families of the stack's code servers and runs |
| `iam:PassRole` | `*` | the roles above, to `ecs-tasks.amazonaws.com` only |
| `ecs:TagResource` | `*` | while a service or a run is made |
| names in Cloud Map | removes those of any namespace | removes those with the stack's tag |
| `secretsmanager` | `GetSecretValue`, `DescribeSecret`, `ListSecrets` on `*` | none |
| `ec2` | `DescribeRouteTables`, `DescribeNetworkInterfaces` | none: the launcher is told `assign_public_ip` |

What `ecs:CreateService` and `ecs:UpdateService` may touch is fenced by the ARN of a service, which holds the cluster,
and not by the condition `ecs:cluster`: AWS's reference lists that key beside the resource there, and beside the action
everywhere else.

## What stays open

- `tag:GetResources`, `servicediscovery:ListServices`, `servicediscovery:ListTagsForResource` and
  `ecs:DescribeTaskDefinition` take no resource: the agent sees names, tags and task definitions of the whole account
  in its region. Values of secrets are in none of them; environment variables in plain are in task definitions.
- `servicediscovery:TagResource` takes no resource either, and has no key for the moment of making. Whoever holds the
  agent's role can put the stack's tag on a name of somebody else in Cloud Map, and then remove that name. An account of
  its own for the stack, or a service control policy, closes this.
- `secrets_tags` costs `secretsmanager:ListSecrets` in the agent's role, and lets ECS put every secret with that tag
  into code servers and runs. Secrets named by ARN cost neither.
- A role that a location names in `container_context.ecs` is passed as it is: the stack does not look into it.

## How this is proven

`tests/unit/agent/test_ecs_policies.py` and `test_ecs_reading.py` decide, by a stand-in for IAM, the calls that the
agent's own code and CI's previews make, and over a hundred that must be denied. Each statement, action, resource and
condition is taken away in turn, and something turns wrong, or its reason to stay is written down.
`tests/aws/test_ecs_reading.py` runs Pulumi's engine with no more than CI's reading roles allow.
`tests/contracts/test_iam_table.py` and `test_iam_policies.py` hold the stand-in and the policies against AWS's Service
Authorization Reference. Whether AWS decides as its reference says, only an account can prove.
"""


def markdown() -> str:
    """The whole page."""
    scope = _example()
    bucket = f"arn:aws:s3:::{_NAMES.bucket}"
    share = [
        statement
        for prefix in ("assets/", "compute-logs/")
        for statement in access_statements(bucket, prefix, _PLACE, write=True)
    ]
    repository = _NAMES.arn("ecr", f"repository/{_NAMES.repository('sales')}")
    pull = [login_statement(), pull_statement([repository])]
    shell = [s for s in ecs_policies.agent_statements(_example(exec_enabled=True)) if s.sid == "Shell"]
    tagged = NamedByLocations(secrets_tags=("dagster",))
    parts = [
        *_section("All of them: who may take the role", [task_trust(_PLACE)]),
        *_section("`hybrid-prod-agent`", ecs_policies.agent_statements(scope)),
        *_section("`hybrid-prod-agent-execution`", ecs_policies.agent_execution_statements(scope)),
        *_section("`hybrid-prod-code`", [*ecs_policies.code_statements(scope), *share]),
        *_section("`hybrid-prod-code-execution`", [*ecs_policies.code_execution_statements(scope), *pull]),
        _ROLES_END,
        *_section("`exec: true`: the agent's role, and the code's", shell),
        *_section("`secretsTag`, or a location's `secrets_tags`", _added(named=tagged)),
        *_section(
            "A customer's key for the secrets: both execution roles",
            _added(key_arns=(_NAMES.arn("kms", "key/11111111-2222-3333-4444-555555555555"),))[:1],
        ),
        *_section("A namespace of another account: the agent's role", _added(service_discovery_role_arn=_MAP_ROLE)),
        *_section(
            "A namespace of another account: the role over there, which that account makes",
            ecs_policies.service_discovery_statements(_example(namespace_arn=_DISTANT)),
        ),
        *_section("`ci.reviews`: `hybrid-prod-review`", [_ci_trust("review"), *review_statements(_READ)]),
        *_section("`ci.drift`: `hybrid-prod-drift`", [_ci_trust("drift"), *drift_statements(_READ)]),
        *_section("`assetValues.writer`: `hybrid-prod-stored-values`", [guest_trust(_GUEST), *_copying(bucket)]),
    ]
    return _HEAD + "\n".join(parts).strip() + "\n" + _TAIL


_ROLES: Final = ("agent", "agent-execution", "code", "code-execution", "ci", "review", "drift")
_READ: Final = ReadScope(
    names=_NAMES,
    bucket=_NAMES.bucket,
    agent_role_arn=_PLACE.global_arn("iam", f"role/{_NAMES.role('agent')}"),
    role_arns=tuple(_PLACE.global_arn("iam", f"role/{_NAMES.role(what)}") for what in _ROLES),
    cluster=_NAMES.cluster,
    state_bucket="acme-pulumi-state",
    state_key_arn=_NAMES.arn("kms", "key/22222222-2222-3333-4444-555555555555"),
    secrets_key_arn=_NAMES.arn("kms", "key/33333333-2222-3333-4444-555555555555"),
)


def _ci_trust(environment: str) -> Statement:
    host = GITHUB.removeprefix("https://")
    issuer = _PLACE.global_arn("iam", f"oidc-provider/{host}")
    return ci_trust(issuer, host, AUDIENCE, [Subject.github("acme/data", environment=environment)])


_GUEST: Final = GuestRoleArgs(
    name=_NAMES.role("stored-values"),
    description="",
    place=_PLACE,
    principal="arn:aws:iam::210987654321:role/serverless-task",
    external_id="acme-copies-its-values",
    until=date(2026, 12, 31),
)


def _copying(bucket: str) -> list[Statement]:
    key = _NAMES.arn("kms", "key/44444444-2222-3333-4444-555555555555")
    return ending_at(_GUEST.end, access_statements(bucket, "assets/", _PLACE, key, write=True, delete=False))


_MAP_ROLE: Final = "arn:aws:iam::210987654321:role/cloud-map"
_DISTANT: Final = f"arn:aws:servicediscovery:{_REGION}:210987654321:namespace/ns-1a2b3c4d5e6f7a8b"


def _example(**changes: object) -> PolicyScope:
    def role(what: str) -> str:
        return f"arn:aws:iam::{_ACCOUNT}:role/{_NAMES.role(what)}"

    values: dict[str, object] = {
        "names": _NAMES,
        "cluster": _NAMES.cluster,
        "namespace_arn": _NAMES.arn("servicediscovery", "namespace/ns-1a2b3c4d5e6f7a8b"),
        "token_secret_arn": _NAMES.arn("secretsmanager", f"secret:{_NAMES.token_secret}-AbCd12"),
        "code_role_arns": (role("code"), role("location-sales")),
        "code_execution_role_arn": role("code-execution"),
        "agent_log_group": _NAMES.agent_log_group,
        "code_log_group": _NAMES.code_log_group,
        "named": NamedByLocations(secret_arns=(_NAMES.arn("secretsmanager", "secret:team/database-EfGh34"),)),
    }
    return PolicyScope(**{**values, **changes})  # type: ignore[arg-type]


def _added(**changes: object) -> list[Statement]:
    """What an option adds to any role."""
    wide, plain = _example(**changes), _example()
    return [
        statement
        for of in (
            ecs_policies.agent_statements,
            ecs_policies.agent_execution_statements,
            ecs_policies.code_execution_statements,
        )
        for statement in of(wide)
        if statement.sid not in {each.sid for each in of(plain)}
    ]


def _section(title: str, statements: Iterable[Statement]) -> list[str]:
    rows = [f"| {_actions(s)} | {_resources(s)} | {_conditions(s)} | {s.why} |" for s in statements]
    return [f"## {title}", "", "| actions | on | only if | why |", "|---|---|---|---|", *rows, ""]


def _actions(statement: Statement) -> str:
    named = "<br>".join(f"`{action}`" for action in statement.actions)
    return named if statement.effect == "Allow" else f"denied:<br>{named}"


def _resources(statement: Statement) -> str:
    if statement.principals is not None:
        return "the role"
    return "<br>".join(f"`{_short(resource)}`" for resource in statement.resources)


def _conditions(statement: Statement) -> str:
    said = []
    for operator, keys in statement.conditions.items():
        for key, value in keys.items():
            values = [value] if isinstance(value, str) else list(value)
            if operator == "Null":
                said.append(f"`{key}` {'is missing' if values == ['true'] else 'is there'}")
                continue
            if operator == "DateLessThan":
                said.append(f"`{key}` is before `{values[0]}`")
                continue
            verb = ("is not" if "Not" in operator else "is") + (" like" if "Like" in operator else "")
            absent = ", if it is there" if operator.endswith("IfExists") else ""
            said.append(f"`{key}` {verb} {' or '.join(f'`{_short(each)}`' for each in values)}{absent}")
    return "<br>".join(said)


def _short(arn: str) -> str:
    for long, short in _SHORTER.items():
        arn = arn.replace(long, short)
    return arn


if __name__ == "__main__":
    sys.stdout.write(markdown())
