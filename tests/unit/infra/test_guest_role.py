"""A guest's role as the program declares it, decided by the stand-in for IAM: what the guest does is allowed until the
last day is over, and without each condition, action and resource somebody gets in or something fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hybrid.errors import SettingsError
from infra.bucket import Bucket, BucketArgs
from infra.guest_role import GuestRole, GuestRoleArgs, ending_at, guest_trust
from infra.place import Place
from infra.statements import Statement, policy_text
from tests.standins.iam.evaluator import Evaluator
from tests.standins.iam.facts import StaticFacts
from tests.standins.iam.request import AuthorizationRequest
from tests.unit.infra import recording
from tests.unit.infra.judged import lint, mistakes

pytestmark = pytest.mark.unit

PLACE = Place("123456789012", "eu-west-1")
GUEST = "arn:aws:iam::210987654321:role/serverless-task"
ROLE = "arn:aws:iam::123456789012:role/hybrid-prod-stored-values"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
BUCKET = "arn:aws:s3:::hybrid-prod-values"
LAST, OVER = "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"
ID = "acme-copies-its-values"
FACTS = StaticFacts(account="123456789012", region="eu-west-1")
VIA = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}


def args(**changed: Any) -> GuestRoleArgs:
    given = {
        "name": "hybrid-prod-stored-values", "description": "Copies", "place": PLACE, "principal": GUEST,
        "external_id": ID, "until": date(2026, 12, 31),
    }  # fmt: skip
    return GuestRoleArgs(**{**given, **changed})


@pytest.fixture(scope="module")
def made() -> recording.Record:
    def build() -> None:
        role = GuestRole("writer", args())
        bucket = Bucket("storage", BucketArgs(name="hybrid-prod-values", place=PLACE, key_arn=KEY))
        bucket.grant_adding("copy", role, "assets/")

    return recording.run(build, region="eu-west-1")


def policy(made: recording.Record) -> list[dict[str, Any]]:
    return json.loads(made.only("aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]


def trust(made: recording.Record) -> dict[str, Any]:
    (statement,) = json.loads(made.only("aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    return statement


def enters(statement: Mapping[str, Any], who: str = GUEST, now: str = LAST, said: str | None = ID) -> bool:
    facts = StaticFacts(account="123456789012", region="eu-west-1", trust_policies={ROLE: {"Statement": [statement]}})
    context = {"aws:CurrentTime": now, **({"sts:ExternalId": said} if said else {})}
    return Evaluator(lambda role: []).may_assume(ROLE, {"AWS": who}, context, facts).allowed


def asked(action: str, resource: str, **context: str) -> AuthorizationRequest:
    return AuthorizationRequest(action, resource, context)


def listing(prefix: str) -> AuthorizationRequest:
    return AuthorizationRequest("s3:ListBucket", BUCKET, {"s3:prefix": prefix})


NEEDED = {
    "list": listing("assets/"),
    "list as Dagster's IO manager does": listing("assets"),
    "read": asked("s3:GetObject", f"{BUCKET}/assets/a/b"),
    "write": asked("s3:PutObject", f"{BUCKET}/assets/a/b"),
    "abort": asked("s3:AbortMultipartUpload", f"{BUCKET}/assets/a/b"),
    "encrypt": AuthorizationRequest("kms:GenerateDataKey", KEY, VIA),
    "decrypt": AuthorizationRequest("kms:Decrypt", KEY, VIA),
}
REFUSED = {
    "delete": asked("s3:DeleteObject", f"{BUCKET}/assets/a/b"),
    "delete a version": asked("s3:DeleteObjectVersion", f"{BUCKET}/assets/a/b"),
    "write beside": asked("s3:PutObject", f"{BUCKET}/assets-of-others/a"),
    "read logs": asked("s3:GetObject", f"{BUCKET}/compute-logs/a"),
    "another bucket": asked("s3:PutObject", "arn:aws:s3:::others/assets/a"),
    "list all": listing(""),
    "list beside": listing("compute-logs/"),
    "bucket policy": asked("s3:PutBucketPolicy", BUCKET),
    "the key by itself": asked("kms:Decrypt", KEY),
    "another role": asked("sts:AssumeRole", ROLE),
}


def may(statements: list[dict[str, Any]], request: AuthorizationRequest, now: str = LAST) -> bool:
    held = AuthorizationRequest(request.action, request.resource, {**request.context, "aws:CurrentTime": now})
    return Evaluator(lambda role: [{"Statement": statements}]).request(ROLE, held, FACTS).allowed


@pytest.mark.parametrize("what", NEEDED)
def test_a_copy_is_allowed_until_the_last_day_is_over_and_no_longer(made: recording.Record, what: str) -> None:
    assert may(policy(made), NEEDED[what])
    assert not may(policy(made), NEEDED[what], now=OVER), "a session taken a moment before lasts an hour, this does not"


@pytest.mark.parametrize("what", REFUSED)
def test_nothing_else_is(made: recording.Record, what: str) -> None:
    assert not may(policy(made), REFUSED[what])


def test_each_statement_and_action_is_needed(made: recording.Record) -> None:
    statements = policy(made)
    for index, statement in enumerate(statements):
        others = statements[:index] + statements[index + 1 :]
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        for action in actions:
            fewer = {**statement, "Action": [each for each in actions if each != action]}
            assert [what for what, one in NEEDED.items() if not may([*others, fewer], one)], f"nobody misses {action}"


def test_each_condition_keeps_something_out(made: recording.Record) -> None:
    statements = policy(made)
    for index, statement in enumerate(statements):
        for operator in statement["Condition"]:
            open_ = {name: held for name, held in statement["Condition"].items() if name != operator}
            wider = [*statements[:index], {**statement, "Condition": open_}, *statements[index + 1 :]]
            late = [what for what, one in NEEDED.items() if may(wider, one, now=OVER)]
            through = [what for what, one in REFUSED.items() if may(wider, one)]
            assert late or through, f"{statement['Sid']}: {operator} keeps nothing out"


def test_only_the_guest_with_its_word_takes_the_role_in_its_time(made: recording.Record) -> None:
    statement = trust(made)
    assert enters(statement)
    wrong = {
        "another role of the guest's account": {"who": "arn:aws:iam::210987654321:role/another"},
        "somebody else": {"who": "arn:aws:iam::999999999999:role/serverless-task"},
        "without the external id": {"said": None},
        "with another's": {"said": "umbrella-copies-its-values"},
        "too late": {"now": OVER},
    }
    for what, changed in wrong.items():
        assert not enters(statement, **changed), f"{what} got in"
    for operator in ("StringEquals", "DateLessThan"):
        open_ = {**statement, "Condition": {k: v for k, v in statement["Condition"].items() if k != operator}}
        assert [what for what, changed in wrong.items() if enters(open_, **changed)], f"{operator} keeps nobody out"


def test_a_session_lasts_an_hour(made: recording.Record) -> None:
    assert made.only("aws:iam/role:Role").inputs["maxSessionDuration"] == 3600


def test_aws_s_reference_and_its_linter_agree(made: recording.Record) -> None:
    key = Statement("Key", ("kms:Decrypt",), (KEY,), "w", VIA and {"StringEquals": VIA})
    ended = ending_at(args().end, [key])
    assert mistakes([*ended, guest_trust(args())]) == []
    assert lint(ended) == set()
    assert json.loads(policy_text(ended))["Statement"][0]["Condition"]["DateLessThan"] == {"aws:CurrentTime": OVER}


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"principal": "*"}, "no role that a guest may have"),
        ({"principal": "arn:aws:iam::210987654321:root"}, "a whole account is everybody in it"),
        ({"principal": "arn:aws:sts::210987654321:assumed-role/x/y"}, "A session ends"),
        ({"external_id": "short"}, "external id"),
        ({"external_id": "with a space in it"}, "external id"),
    ],
)
def test_who_cannot_be_a_guest_is_refused(changed: dict[str, str], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        args(**changed)


def test_a_copy_without_an_own_key_asks_nothing_of_kms() -> None:
    def build() -> None:
        bucket = Bucket("storage", BucketArgs(name="hybrid-prod-values", place=PLACE))
        bucket.grant_adding("copy", GuestRole("writer", replace(args(), path="/team/")), "assets/")

    assert "kms" not in recording.run(build).only("aws:iam/rolePolicy:RolePolicy").inputs["policy"]
