"""Secrets as the program declares them, and what is granted on them. That the value is ciphertext in Pulumi's state
follows from its mark, which is seen here; the state itself is read where the real engine runs."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws
import pytest

from hybrid.errors import SettingsError
from infra.keeping import Adoption
from infra.place import Place
from infra.roles import RoleArgs, TaskRole
from infra.secret import ExistingSecret, Secret, SecretArgs, after, grant_read, read_statements, secret_arn
from infra.statements import Statement
from tests.unit.infra import recording
from tests.unit.infra.judged import lint, mistakes

pytestmark = pytest.mark.unit

PLACE = Place("123456789012", "eu-west-1")
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a0a0a0a-0b0b-0c0c-0d0d-0e0e0e0e0e0e"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/database-AbCdEf"
SECRET = "aws:secretsmanager/secret:Secret"
VALUE = "agent:acme:" + "8" * 32


def args(**changed: object) -> SecretArgs:
    given = {"name": "hybrid-prod/agent-token", "description": "For the agent", "value": VALUE, "place": PLACE}
    return SecretArgs(**{**given, **changed})  # type: ignore[arg-type]


def made(*, preview: bool = False, **changed: object) -> recording.Record:
    return recording.run(lambda: Secret("token", args(**changed)), preview=preview)


def role() -> TaskRole:
    return TaskRole("execution", RoleArgs("hybrid-prod-agent-execution", "Starts", PLACE))


def test_a_secret_has_its_value_and_goes_with_the_stack() -> None:
    record = made()
    secret, value = record.only(SECRET), record.named("token-value")
    assert secret.inputs == {
        "name": "hybrid-prod/agent-token",
        "description": "For the agent",
        "recoveryWindowInDays": 0,
    }
    assert value.inputs == {"secretId": secret.outputs["arn"], "secretString": VALUE}
    assert not secret.options.retain_on_delete, "a token that was taken back is of no use"
    assert {one.parent for one in (secret, value)} == {"token"}
    assert record.counts()[SECRET] == 1


@pytest.mark.parametrize("mark", [True, False], ids=["marked", "plain"])
def test_the_value_is_a_secret_however_it_was_given(mark: bool) -> None:
    def build() -> Secret:
        return Secret("token", args(value=pulumi.Output.secret(VALUE) if mark else VALUE))

    record = recording.run(build)
    assert record.named("token-value").secret == {"secretString"}
    shown = [one.inputs for one in record.resources if one.name != "token-value"]
    assert VALUE not in json.dumps(shown), "nothing else holds it"
    assert not record.is_secret(record.result.arn), "the ARN is for everybody to see"


def test_what_uses_the_arn_waits_for_the_value() -> None:
    def build() -> None:
        secret = Secret("token", args())
        secret.grant_read("token", role())
        aws.ecs.Cluster("after", name=secret.arn.apply(lambda arn: arn[-6:]))

    record = recording.run(build)
    assert {"token-value", "token-secret"} <= record.named("after").options.depends_on, "an agent starts with a value"
    assert "token-value" in record.named("execution-token").options.depends_on


def test_a_new_value_leaves_the_arn_known_in_the_preview() -> None:
    def build() -> pulumi.Output[str]:
        # the secret stands and its ARN is known; the version of the new value is not
        value = aws.secretsmanager.SecretVersion("new", secret_id=ARN, secret_string="x")
        return after(value, pulumi.Output.from_input(ARN))

    record = recording.run(build, preview=True)
    assert record.is_known(record.result), "all that names it would seem to change with every new token"
    assert record.value(record.result) == ARN
    first = made(preview=True)
    assert not first.is_known(first.result.arn), "and before it is made, nobody knows it"


@pytest.mark.parametrize("days", [0, 7, 30])
def test_a_deleted_secret_waits_as_long_as_told(days: int) -> None:
    assert made(recovery_window_days=days).only(SECRET).inputs["recoveryWindowInDays"] == days


@pytest.mark.parametrize("days", [-1, 1, 6, 31])
def test_aws_has_no_other_windows(days: int) -> None:
    with pytest.raises(SettingsError, match=f"for {days} days"):
        args(recovery_window_days=days)


def test_one_that_an_interrupted_up_left_is_taken_up() -> None:
    assert made(adopted=Adoption(ARN)).only(SECRET).options.imported == ARN


def test_a_policy_of_its_own_may_never_be_public() -> None:
    deny = Statement(
        "NobodyElse",
        ("secretsmanager:GetSecretValue",),
        ("*",),
        "only the stack's own roles",
        effect="Deny",
        principals="*",
        conditions={"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/hybrid-prod-*"}},
    )
    record = made(policy=[deny])
    policy = record.named("token-policy")
    assert policy.inputs["blockPublicPolicy"] is True
    assert json.loads(policy.inputs["policy"])["Statement"][0]["Sid"] == "NobodyElse"
    assert not [one for one in made().resources if one.name == "token-policy"]


@pytest.mark.parametrize("key", [None, KEY], ids=["AWS's key", "own key"])
def test_reading_is_one_secret_and_its_key(key: str | None) -> None:
    record = recording.run(lambda: Secret("token", args(key_arn=key)).grant_read("token", role()))
    reading, *using = json.loads(record.named("execution-token").inputs["policy"])["Statement"]
    assert reading["Action"] == "secretsmanager:GetSecretValue"
    assert reading["Resource"] == record.only(SECRET).outputs["arn"]
    assert record.only(SECRET).inputs.get("kmsKeyId") == key
    if key is None:
        assert using == []
    else:
        assert (using[0]["Action"], using[0]["Resource"]) == ("kms:Decrypt", key)
        assert using[0]["Condition"]["StringEquals"] == {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}


def test_secrets_that_are_there_already_are_granted_the_same_way() -> None:
    given = [ExistingSecret(f"{ARN}:password::", PLACE), ExistingSecret(ARN, PLACE, KEY)]

    def build() -> None:
        reader = role()
        given[0].grant_read("one", reader)
        grant_read("all", reader, given)

    record = recording.run(build)
    (one,) = json.loads(record.named("execution-one").inputs["policy"])["Statement"]
    assert one["Resource"] == ARN, "without the JSON key"
    reading, using = json.loads(record.named("execution-all").inputs["policy"])["Statement"]
    assert (reading["Resource"], using["Resource"]) == (ARN, KEY), "each once"
    with pytest.raises(ValueError, match="a grant on no secret"):
        recording.run(lambda: grant_read("all", role(), []))


@pytest.mark.parametrize(
    ("given", "arn"),
    [
        (ARN, ARN),
        (f"{ARN}:password", ARN),
        (f"{ARN}:password:AWSPREVIOUS:", ARN),
        (f"{ARN}::AWSCURRENT:a1b2", ARN),
        (ARN.removesuffix("-AbCdEf"), f"{ARN.removesuffix('-AbCdEf')}-??????"),
    ],
)
def test_the_arn_in_what_ecs_reads_is_found(given: str, arn: str) -> None:
    assert secret_arn(given) == arn


@pytest.mark.parametrize(
    "given",
    ["team/database", "arn:aws:ssm:eu-west-1:123456789012:parameter/x", f"{ARN}:a:b:c:d", f"{ARN}*", ""],
)
def test_what_is_no_arn_of_a_secret_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="is no ARN of a secret"):
        ExistingSecret(given, PLACE)


@pytest.mark.parametrize("name", ["", "x" * 513, "with space", "token*", "token-AbCdEf"])
def test_what_is_no_name_for_a_secret_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no name for a secret"):
        args(name=name)


def test_the_judges_accept_what_is_granted() -> None:
    for arn in (ARN, secret_arn(ARN.removesuffix("-AbCdEf"))):
        for keys in ((), (KEY,)):
            statements = read_statements([arn], PLACE, *keys)
            assert mistakes(statements) == []
            assert lint(statements) == set()
