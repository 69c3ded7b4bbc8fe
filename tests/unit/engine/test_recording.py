"""What a program that is run offline gets: a stack's configuration without its secrets, and made-up answers that are
always the same. The process itself is in tests/program/test_review_offline.py."""

from __future__ import annotations

import json

import pytest
import yaml

from hybrid.engine.mocked_answers import Answers
from hybrid.engine.recording import CHECKOUT, StackConfig
from hybrid.engine.state_copy import WITHHELD, WITHHELD_CHANGED
from hybrid.errors import SettingsError
from stacks.settings import from_file, from_pulumi

pytestmark = pytest.mark.unit

FILE = """encryptionsalt: v1:salt:of-the-team
config:
  hybrid:agent:
    kind: docker
    environment: {DAY: "1", FLAG: "true"}
  hybrid:registry: {address: ghcr.io/acme}
  hybrid:organization: acme
  hybrid:readiness: {timeout_seconds: 20}
  hybrid:environmentVariables:
    - {name: A, fromEnvironment: A_FROM_HERE}
    - {name: B, secret: b}
  team:on: true
  team:count: 3
  team:empty:
  team:nested: {key: {secure: v1:nested}}
  secrets:b: {secure: v1:cipher}
"""


def test_a_program_reads_the_same_settings_as_the_command_line(tmp_path) -> None:
    text = FILE.replace("timeout_seconds", "timeoutSeconds")
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    config = StackConfig.of_file(text, None)
    assert from_pulumi(config.values, config.secrets, stack="dev") == from_file(
        tmp_path / "Pulumi.dev.yaml", stack="dev"
    )


def test_values_are_texts_as_pulumi_gives_them() -> None:
    values = StackConfig.of_file(FILE, None).values
    assert (values["team:on"], values["team:count"], values["team:empty"]) == ("true", "3", "")
    assert json.loads(values["hybrid:registry"]) == {"address": "ghcr.io/acme"}


def test_no_ciphertext_and_no_key_is_handed_over() -> None:
    config = StackConfig.of_file(FILE, FILE)
    assert config.secrets == {"secrets:b", "team:nested"}
    assert {config.values[key] for key in config.secrets} == {WITHHELD}
    assert "v1:" not in json.dumps(dict(config.values)), "neither salt nor ciphertext"


def test_another_ciphertext_stands_for_another_value() -> None:
    base = FILE.replace("v1:cipher", "v1:former")
    values = StackConfig.of_file(FILE, base).values
    assert (values["secrets:b"], values["team:nested"]) == (WITHHELD_CHANGED, WITHHELD)


def test_variables_that_settings_take_from_the_environment_are_named() -> None:
    assert StackConfig.of_file(FILE, None).taken_from_environment == ("A_FROM_HERE",)


@pytest.mark.parametrize(
    "said", ["text", [1], {"a": 1}, [{"name": "A"}], [{"fromEnvironment": "A=B"}], [{"fromEnvironment": 3}]]
)
def test_strange_settings_name_none(said: object) -> None:
    text = yaml.safe_dump({"config": {"hybrid:environmentVariables": said}})
    assert StackConfig.of_file(text, None).taken_from_environment == ()


def test_a_file_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(SettingsError, match="not YAML"):
        StackConfig.of_file("config: [", None)


# answers


ANSWERS = Answers("123456789012", "eu-central-1", {})


def test_equal_questions_have_equal_answers() -> None:
    again = Answers("123456789012", "eu-central-1", {})
    for token in ("aws:iam/role:Role", "aws:ec2/vpc:Vpc", "dagsterhybrid:index:LocationImage", "team:index:Thing"):
        inputs = {"name": "n", "repository": "r"}
        assert ANSWERS.resource(token, "x", inputs) == again.resource(token, "x", inputs), token


def test_arns_are_those_that_aws_would_give() -> None:
    def arn(token: str, **inputs: str) -> str:
        return ANSWERS.resource(token, "x", inputs)[1]["arn"]

    assert arn("aws:iam/role:Role", name="r", path="/team/") == "arn:aws:iam::123456789012:role/team/r"
    assert arn("aws:s3/bucket:Bucket", bucket="b") == "arn:aws:s3:::b"
    assert arn("aws:ecr/repository:Repository", name="a/b") == "arn:aws:ecr:eu-central-1:123456789012:repository/a/b"
    secret = arn("aws:secretsmanager/secret:Secret", name="s")
    assert secret.endswith(":secret:s-??????"), "AWS's own digits are not pretended to be known"


@pytest.mark.parametrize(
    ("token", "output"),
    [
        ("dagsterhybrid:index:LocationImage", "reference"),
        ("dagsterhybrid:index:VirtualEnvironment", "executable"),
        ("dagsterhybrid:index:CodeLocation", "revision"),
        ("dagsterhybrid:index:Process", "instance"),
        ("aws:ecs/taskDefinition:TaskDefinition", "arn"),
        ("docker:index/remoteImage:RemoteImage", "imageId"),
    ],
)
def test_what_follows_from_a_change_is_seen_to_change(token: str, output: str) -> None:
    before, after = ({"repository": "r", "parent": "/p", "family": "f", "more": each} for each in ("1", "2"))
    assert ANSWERS.resource(token, "x", before)[1][output] != ANSWERS.resource(token, "x", after)[1][output]


def test_a_mark_tells_contents_apart_that_inputs_do_not() -> None:
    marked = Answers("1", "r", {"hello-image": "src/x.py"})
    token = "dagsterhybrid:index:LocationImage"
    first, second = (each.resource(token, "hello-image", {"repository": "r"}) for each in (ANSWERS, marked))
    assert first != second
    assert ANSWERS.resource(token, "other", {}) == marked.resource(token, "other", {}), "others are not concerned"


def test_a_network_that_is_not_looked_at_fits_itself() -> None:
    answers = Answers("1", "eu-west-1", {})
    vpc = answers.question("aws:ec2/getVpc:getVpc", {"tags": {"a": "b"}})["id"]
    for subnet in answers.question("aws:ec2/getSubnets:getSubnets", {})["ids"]:
        assert answers.question("aws:ec2/getSubnet:getSubnet", {"id": subnet})["vpcId"] == vpc
    assert answers.question("aws:ec2/getSecurityGroup:getSecurityGroup", {"id": "sg"})["vpcId"] == vpc
    assert answers.question("team:index:ask", {}) == {}, "of a stranger nothing is known"


def test_both_sides_call_the_checkout_alike() -> None:
    from hybrid.engine import mocked_program

    assert mocked_program.CHECKOUT == CHECKOUT, "the script cannot import it"
