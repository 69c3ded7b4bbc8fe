"""The policies of CI's reading roles, decided by the stand-in for IAM: they let through what a review and a look for
drift ask, nothing is in them that neither needs, and a review gets no value of a secret whatever else is attached to
its role.

That the list of calls is the engine's is for tests/aws/test_ecs_reading.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from agent.ecs_reading import drift_statements, review_statements
from infra.statements import Statement
from tests.standins.iam import StaticFacts, reading, stack
from tests.standins.iam.evaluator import Evaluator
from tests.standins.iam.recorded import Call

pytestmark = pytest.mark.unit

FACTS = StaticFacts(**{**vars(stack.FACTS), "keys": reading.KEYS})
REVIEW, DRIFT = reading.ROLES["review"], reading.ROLES["drift"]
GRANTED = {REVIEW: review_statements(reading.SCOPE), DRIFT: drift_statements(reading.SCOPE)}
CALLS = {REVIEW: reading.review_calls(), DRIFT: reading.drift_calls()}
EVERYTHING = Statement("Everything", ("*",), ("*",), "what somebody attached by hand")


def denied(of: Evaluator, call: Call) -> bool:
    decision = of.decide(call.role, call.service, call.operation, call.params, FACTS)
    assert not decision.unknown, f"the table of calls has to know {call}"
    return not decision.allowed


@pytest.mark.parametrize("call", [*CALLS[REVIEW], *CALLS[DRIFT]], ids=str)
def test_what_a_review_and_a_look_for_drift_ask_is_allowed(call: Call) -> None:
    decision = stack.evaluator(GRANTED).decide(call.role, call.service, call.operation, call.params, FACTS)
    assert decision.allowed, decision.reason


@pytest.mark.parametrize("call", [*reading.forbidden_to(REVIEW), *reading.forbidden_to(DRIFT)], ids=str)
def test_nothing_else_is(call: Call) -> None:
    assert denied(stack.evaluator(GRANTED), call), f"{call} got through"


def parts() -> Iterator[tuple[str, str, Statement, Statement | None]]:
    for role, statements in GRANTED.items():
        for statement in (each for each in statements if each.effect == "Allow"):
            title = f"{role.rsplit('-', 1)[-1]}-{statement.sid}"
            yield title, role, statement, None
            for action in statement.actions if len(statement.actions) > 1 else ():
                rest = tuple(each for each in statement.actions if each != action)
                yield f"{title}-{action}", role, statement, dataclasses.replace(statement, actions=rest)
            for resource in statement.resources if len(statement.resources) > 1 else ():
                rest = tuple(each for each in statement.resources if each != resource)
                yield f"{title}-{resource}", role, statement, dataclasses.replace(statement, resources=rest)


@pytest.mark.parametrize(
    ("role", "statement", "rest"), [each[1:] for each in parts()], ids=[title for title, *_ in parts()]
)
def test_nothing_is_granted_that_no_call_needs(role: str, statement: Statement, rest: Statement | None) -> None:
    given = [rest if each is statement else each for each in GRANTED[role]]
    without = stack.evaluator({**GRANTED, role: tuple(each for each in given if each is not None)})
    missed = [call for call in CALLS[role] if denied(without, call)]
    assert missed, "no call misses it, so it has to go"


def test_a_review_gets_no_secret_whatever_is_attached_to_its_role() -> None:
    wide = stack.evaluator({REVIEW: (*GRANTED[REVIEW], EVERYTHING)})
    secrets = [
        Call("the token", REVIEW, "secretsmanager", "GetSecretValue", {"SecretId": stack.TOKEN}),
        Call("another", REVIEW, "secretsmanager", "GetSecretValue", {"SecretId": stack.DATABASE}),
        Call("a parameter", REVIEW, "ssm", "GetParameters", {"Names": ["/team/database"]}),
        Call("the state's secrets", REVIEW, "kms", "Decrypt", {"KeyId": reading.SECRETS_KEY}),
        Call("by the bucket's key", REVIEW, "kms", "Decrypt", {"KeyId": reading.STATE_KEY}),
        Call("values", REVIEW, "s3", "GetObject", {"Bucket": stack.NAMES.bucket, "Key": "assets/sales"}),
        Call("another role", REVIEW, "sts", "AssumeRole", {"RoleArn": stack.ADMIN, "RoleSessionName": "x"}),
    ]
    assert [call for call in secrets if not denied(wide, call)] == []
    state = Call("state", REVIEW, "s3", "GetObject", {"Bucket": reading.STATE, "Key": ".pulumi/x"})
    assert not denied(wide, state), "the denial of decryption leaves S3 to decrypt the bucket of the state"


def test_each_denial_is_needed() -> None:
    denials = [each for each in GRANTED[REVIEW] if each.effect == "Deny"]
    assert {each.sid for each in denials} == {"NoValuesOfSecrets", "NoDecryption", "NoObjects", "NoOtherRole"}
    for denial in denials:
        rest = tuple(each for each in GRANTED[REVIEW] if each is not denial)
        wide = stack.evaluator({REVIEW: (*rest, EVERYTHING)})
        through = [call for call in reading.forbidden_to(REVIEW) if not denied(wide, call)]
        kept = stack.evaluator({REVIEW: (*GRANTED[REVIEW], EVERYTHING)})
        still = [call for call in reading.forbidden_to(REVIEW) if not denied(kept, call)]
        assert len(through) > len(still), f"{denial.sid} keeps nothing out"


def test_the_network_is_told_of_this_region_alone() -> None:
    elsewhere = StaticFacts(**{**vars(FACTS), "region": "us-east-1"})
    for role in GRANTED:
        decision = stack.evaluator(GRANTED).decide(role, "ec2", "DescribeVpcs", {}, elsewhere)
        assert not decision.allowed, "the stack has nothing in another region"


def test_without_settings_nothing_of_the_state_and_no_key_is_granted() -> None:
    bare = dataclasses.replace(
        reading.SCOPE, state_bucket=None, state_key_arn=None, secrets_key_arn=None, token_key_arn=None
    )
    for statements in (review_statements(bare), drift_statements(bare)):
        granted = {name for each in statements if each.effect == "Allow" for name in each.actions}
        assert "kms:Decrypt" not in granted, "a key is named, or not used"
        assert "s3:GetObject" not in granted, "state elsewhere is nothing of S3's"


def test_everything_has_a_reason_and_a_name_of_its_own() -> None:
    for statements in GRANTED.values():
        assert all(each.why.endswith(".") for each in statements), "people read the reasons in docs/iam.md"
        assert len({each.sid for each in statements}) == len(statements), "AWS takes a name once in a policy"
