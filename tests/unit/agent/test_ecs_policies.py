"""The policies of an ECS stack, decided by the stand-in for IAM (tests/standins/iam): what the agent does is allowed,
what it must not do is denied, and nothing is granted that none of it needs.

The agent's calls are recorded from dagster-cloud's own code. What a call asks of IAM is this project's table, held
against AWS's reference in tests/contracts; that AWS decides so too, only an account can prove.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from agent import ecs_policies, iam_reference
from agent.ecs_grants import NamedByLocations
from agent.ecs_names import STACK_TAG, EcsNames
from agent.ecs_policies import PolicyScope
from hybrid.errors import SettingsError
from infra.statements import Statement
from tests.standins.iam import StaticFacts, recorded, stack
from tests.standins.iam.evaluator import Evaluator
from tests.standins.iam.forbidden import FORBIDDEN, Request
from tests.standins.iam.recorded import Call

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
GRANTED = stack.granted()
SHELL_CALLS = ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
OWNED = {"agent", "agent-execution", "code-execution"}

STAYS = {
    ("MakeNames", "resource", "namespace"): (
        "the namespace is in the condition too; AWS's reference lists the namespace as a resource of the action, and "
        "its condition key is younger"
    ),
    ("MakeNames", "resource", "service"): "the id of a new name is not known: it is all of a kind",
    ("RemoveNames", "resource", "service"): "the ids are not known: it is all of a kind, and the tag decides",
}
"""Fences that another fence stands behind, each with the reason why it stays."""


@cache
def life() -> tuple[Call, ...]:
    return tuple(recorded.unlike(recorded.all_calls()))


def allowed(of: Evaluator, call: Call | Request, facts: StaticFacts = stack.FACTS) -> bool:
    if isinstance(call, Request):
        return of.request(call.role, call.asked, facts).allowed
    return of.decide(call.role, call.service, call.operation, call.params, facts).allowed


def statements() -> list[tuple[str, Statement]]:
    return [(role, statement) for role, given in GRANTED.items() for statement in given]


def changed(role: str, statement: Statement, to: Statement | None) -> Evaluator:
    """The policies with one statement replaced, or taken away."""
    given = [to if each is statement else each for each in GRANTED[role]]
    return stack.evaluator({**GRANTED, role: tuple(each for each in given if each is not None)})


def title(role: str, statement: Statement, *more: str) -> str:
    return "-".join([role.rsplit("/", 1)[-1].removeprefix(f"{stack.NAMES.base}-"), statement.sid, *more])


@pytest.mark.parametrize("call", life(), ids=str)
def test_what_the_agent_and_its_code_do_is_allowed(call: Call) -> None:
    decision = stack.evaluator(GRANTED).decide(call.role, call.service, call.operation, call.params, stack.FACTS)
    assert not decision.unknown, "the table of calls has to know every call that is made"
    assert decision.allowed, decision.reason


@pytest.mark.parametrize("call", FORBIDDEN, ids=str)
def test_what_they_must_not_do_is_denied(call: Call | Request) -> None:
    if isinstance(call, Call):
        decision = stack.evaluator(GRANTED).decide(call.role, call.service, call.operation, call.params, stack.FACTS)
        assert not decision.unknown, "a call that the table does not know is denied for the wrong reason"
    assert not allowed(stack.evaluator(GRANTED), call), f"{call} got through"


def without_parts() -> Iterator[tuple[str, str, Statement, Statement | None]]:
    for role, statement in statements():
        yield title(role, statement), role, statement, None
        for action in statement.actions if len(statement.actions) > 1 else ():
            rest = tuple(each for each in statement.actions if each != action)
            yield title(role, statement, action), role, statement, dataclasses.replace(statement, actions=rest)
        for resource in statement.resources if len(statement.resources) > 1 else ():
            rest = tuple(each for each in statement.resources if each != resource)
            yield title(role, statement, resource), role, statement, dataclasses.replace(statement, resources=rest)


@pytest.mark.parametrize(
    ("role", "statement", "rest"), [each[1:] for each in without_parts()], ids=[each[0] for each in without_parts()]
)
def test_nothing_is_granted_that_no_call_needs(role: str, statement: Statement, rest: Statement | None) -> None:
    without = changed(role, statement, rest)
    needs = [*life(), *location_roles()]
    assert [call for call in needs if not allowed(without, call)], "no call misses it, so it has to go"


def location_roles() -> list[Call]:
    """A server of each role that a location may have, as the agent registers it."""
    given = {"family": stack.SERVER_FAMILY, "executionRoleArn": stack.ROLES["code-execution"]}
    return [
        Call("server of a location's role", stack.ROLES["agent"], "ecs", "RegisterTaskDefinition", {**given, **role})
        for role in ({"taskRoleArn": stack.ROLES["location-sales"]}, {"taskRoleArn": stack.NAMED_ROLE})
    ]


def conditions() -> Iterator[tuple[str, str, Statement, Statement]]:
    for role, statement in statements():
        for operator, keys in statement.conditions.items():
            for key in keys:
                rest = {
                    other: {name: value for name, value in held.items() if (other, name) != (operator, key)}
                    for other, held in statement.conditions.items()
                }
                fewer = {other: held for other, held in rest.items() if held}
                yield title(role, statement, key), role, statement, dataclasses.replace(statement, conditions=fewer)


@pytest.mark.parametrize(
    ("role", "statement", "open_"), [each[1:] for each in conditions()], ids=[each[0] for each in conditions()]
)
def test_without_a_condition_something_forbidden_gets_through(
    role: str, statement: Statement, open_: Statement
) -> None:
    wider = changed(role, statement, open_)
    assert [call for call in FORBIDDEN if allowed(wider, call)], "the condition keeps nothing out"


def widened() -> Iterator[tuple[str, str, Statement, Statement, tuple[str, str, str]]]:
    for role, statement in statements():
        for resource in (each for each in statement.resources if each != "*"):
            rest = tuple("*" if each == resource else each for each in statement.resources)
            kind = resource.split(":", 5)[5].split("/")[0].split(":")[0]
            fence = (statement.sid, "resource", kind)
            yield (
                title(role, statement, resource),
                role,
                statement,
                dataclasses.replace(statement, resources=rest),
                fence,
            )


@pytest.mark.parametrize(
    ("role", "statement", "wide", "fence"), [each[1:] for each in widened()], ids=[each[0] for each in widened()]
)
def test_on_any_resource_something_forbidden_gets_through(
    role: str, statement: Statement, wide: Statement, fence: tuple[str, str, str]
) -> None:
    through = [call for call in FORBIDDEN if allowed(changed(role, statement, wide), call)]
    if fence in STAYS:
        assert not through, f"{fence} keeps something out: take it from the list of fences behind others"
    else:
        assert through, "the resource keeps nothing out"


def test_the_agents_role_has_no_network_and_no_secrets_in_it() -> None:
    actions = {action for statement in GRANTED[stack.ROLES["agent"]] for action in statement.actions}
    prefixes = {action.split(":")[0] for action in actions}
    assert prefixes == {"ecs", "iam", "logs", "servicediscovery", "tag"}, "neither ec2 nor secretsmanager is needed"


def test_the_page_about_iam_is_made_from_the_policies() -> None:
    page = (ROOT / "docs" / "iam.md").read_text(encoding="utf-8")
    assert page == iam_reference.markdown(), "run `python -m agent.iam_reference > docs/iam.md`"


def test_a_name_in_cloud_map_can_be_taken_over_as_the_page_says() -> None:
    """AWS has no fence for it; should one of these turn, docs/iam.md says too much."""
    agent, tags = stack.ROLES["agent"], [{"Key": STACK_TAG, "Value": stack.NAMES.base}]
    take = Call("", agent, "servicediscovery", "TagResource", {"ResourceARN": stack.OTHER_NAME, "Tags": tags})
    assert allowed(stack.evaluator(GRANTED), take)
    taken = {**vars(stack.FACTS), "tags_of": {**stack.FACTS.tags_of, stack.OTHER_NAME: {STACK_TAG: stack.NAMES.base}}}
    remove = Call("", agent, "servicediscovery", "DeleteService", {"Id": "srv-bbbbbbbbbbbbbbbb"})
    assert allowed(stack.evaluator(GRANTED), remove, StaticFacts(**taken))


def test_user_code_starts_with_nothing_of_its_own() -> None:
    assert ecs_policies.code_statements(stack.SCOPE) == (), "its share of the bucket is the bucket's to grant"


def test_everything_has_a_reason_and_a_name_of_its_own() -> None:
    for role, given in GRANTED.items():
        own = [statement for statement in given if role in {stack.ROLES[of] for of in OWNED}]
        assert all(statement.why.endswith(".") for statement in own), "people read the reasons in docs/iam.md"
        sids = [statement.sid for statement in own]
        assert len(set(sids)) == len(sids), "AWS takes a name once in a policy"


def only_with(scope: PolicyScope, calls: Sequence[Call], facts: Mapping[str, StaticFacts] | None = None) -> None:
    """The calls are allowed with the option, and each statement that it adds is needed by one of them."""
    given = stack.granted(scope)
    if scope.service_discovery_role_arn:
        given[scope.service_discovery_role_arn] = ecs_policies.service_discovery_statements(scope)

    def denied(of: Evaluator) -> list[Call]:
        return [call for call in calls if not allowed(of, call, (facts or {}).get(call.role, stack.FACTS))]

    assert denied(stack.evaluator(given)) == [], "the option cannot be used"
    for role, role_statements in given.items():
        for statement in role_statements:
            if statement in GRANTED.get(role, ()):
                continue
            rest = {**given, role: tuple(each for each in role_statements if each is not statement)}
            assert denied(stack.evaluator(rest)), f"{statement.sid} is granted for nothing"


def scope(**changes: object) -> PolicyScope:
    return dataclasses.replace(stack.SCOPE, **changes)  # type: ignore[arg-type]


def calls_of(what: str, role: str, service: str, operations: Iterable[str], params: Mapping[str, str]) -> list[Call]:
    return [Call(what, role, service, operation, params) for operation in operations]


def test_a_shell_is_granted_only_when_it_is_switched_on() -> None:
    roles = (stack.ROLES["agent"], stack.ROLES["code"])
    calls = [call for role in roles for call in calls_of("shell", role, "ssmmessages", SHELL_CALLS, {})]
    assert not any(allowed(stack.evaluator(GRANTED), call) for call in calls), "without the switch nobody has it"
    only_with(scope(exec_enabled=True), calls)


def test_secrets_by_tag_cost_a_list_of_all_secrets() -> None:
    named = dataclasses.replace(stack.SCOPE.named, secrets_tags=("dagster",))
    execution = stack.ROLES["code-execution"]
    read = calls_of("a tagged secret", execution, "secretsmanager", ["GetSecretValue"], {"SecretId": stack.TAGGED})
    only_with(scope(named=named), [*recorded.tagged_secrets_calls(), *read])
    untagged = Call("", execution, "secretsmanager", "GetSecretValue", {"SecretId": stack.secret("elsewhere")})
    assert not allowed(stack.evaluator(stack.granted(scope(named=named))), untagged), "the tag is the fence"


def test_names_in_another_account_are_that_accounts_to_grant() -> None:
    other = scope(namespace_arn=stack.DISTANT_NAMESPACE, service_discovery_role_arn=stack.MAP_ROLE)
    calls = recorded.unlike(recorded.other_account_calls())
    see = Call("", stack.MAP_ROLE, "servicediscovery", "ListTagsForResource", {"ResourceARN": "x"})
    enter = {
        stack.MAP_ROLE: stack.DISTANT_FACTS,
        stack.ROLES["agent"]: StaticFacts(
            **{**vars(stack.FACTS), "trust_policies": stack.DISTANT_FACTS.trust_policies}
        ),
    }
    only_with(other, [*calls, see], enter)
    prefixes = {action.split(":")[0] for s in ecs_policies.agent_statements(other) for action in s.actions}
    assert "servicediscovery" not in prefixes, "the agent's own role does nothing in Cloud Map then"


def test_secrets_under_a_key_of_the_accounts_own_are_decrypted_through_secrets_manager_only() -> None:
    facts = StaticFacts(**{**vars(stack.FACTS), "keys": {stack.TOKEN: stack.KEY}})
    starts = [stack.ROLES["agent-execution"], stack.ROLES["code-execution"]]
    calls = [Call("", role, "secretsmanager", "GetSecretValue", {"SecretId": stack.TOKEN}) for role in starts]
    assert not any(allowed(stack.evaluator(GRANTED), call, facts) for call in calls), "the key is a fence of its own"
    keyed = scope(key_arns=(stack.KEY,))
    only_with(keyed, calls, dict.fromkeys(starts, facts))
    bare = Call("", starts[0], "kms", "Decrypt", {"KeyId": stack.KEY})
    assert not allowed(stack.evaluator(stack.granted(keyed)), bare, facts), "not for a text from elsewhere"


def test_a_login_for_the_agents_image_is_read_when_it_starts() -> None:
    role = stack.ROLES["agent-execution"]
    only_with(
        scope(agent_image_credentials_arn=stack.LOGIN),
        calls_of("", role, "secretsmanager", ["GetSecretValue"], {"SecretId": stack.LOGIN}),
    )


def test_a_secrets_arn_without_its_ending_is_granted_with_one() -> None:
    short = stack.DATABASE.removesuffix("-AbCd12")
    given = ecs_policies.code_execution_statements(scope(named=NamedByLocations(secret_arns=(short,))))
    assert f"{short}-??????" in given[0].resources, "AWS decides by the full ARN, whatever the task definition says"


def test_a_location_cannot_name_the_agents_own_role() -> None:
    for taken in (stack.ROLES["agent"], stack.ROLES["agent-execution"]):
        with pytest.raises(SettingsError, match="own role"):
            scope(named=NamedByLocations(task_role_arns=(taken,)))
        with pytest.raises(SettingsError, match="own role"):
            scope(named=NamedByLocations(execution_role_arns=(taken,)))


def test_a_role_is_taken_by_tasks_of_this_account_only() -> None:
    of = stack.evaluator(GRANTED)
    tasks = {"Service": "ecs-tasks.amazonaws.com"}
    here = {"aws:SourceAccount": stack.ACCOUNT, "aws:SourceArn": stack.NAMES.arn("ecs", "task/x/1")}
    elsewhere = {"aws:SourceAccount": "999999999999", "aws:SourceArn": "arn:aws:ecs:eu-central-1:999999999999:task/x/1"}
    for role in stack.ROLES.values():
        assert of.may_assume(role, tasks, here, stack.FACTS).allowed, "ECS takes it for a task"
        assert not of.may_assume(role, tasks, elsewhere, stack.FACTS).allowed, "not on behalf of another account"
        assert not of.may_assume(role, tasks, {}, stack.FACTS).allowed, "nor without saying for whom"
        assert not of.may_assume(role, {"Service": "lambda.amazonaws.com"}, here, stack.FACTS).allowed, (
            "nor another service"
        )
        assert not of.may_assume(role, {"AWS": stack.ADMIN}, {}, stack.FACTS).allowed, "nor anybody of the account"


def test_a_cluster_in_another_partition_has_its_arns_there() -> None:
    names = EcsNames.of("prod", stack.ACCOUNT, "cn-north-1")
    china = dataclasses.replace(
        stack.SCOPE, names=names, namespace_arn=names.arn("servicediscovery", "namespace/ns-1"), key_arns=(stack.KEY,)
    )
    own = [s for s in ecs_policies.agent_statements(china) if s.sid != "PassCodeRoles"]
    assert all(resource == "*" or resource.startswith("arn:aws-cn:") for s in own for resource in s.resources)
    decrypt = next(s for s in ecs_policies.code_execution_statements(china) if s.sid == "DecryptSecrets")
    assert decrypt.conditions["StringEquals"]["kms:ViaService"] == "secretsmanager.cn-north-1.amazonaws.com.cn", (
        "China's services have a domain of their own"
    )
