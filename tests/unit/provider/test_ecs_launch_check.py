"""``EcsLaunchCheck``: what keeps a location from being told to an agent, all at once and with what to do, and what is
only said. Roles, secrets and repositories are moto's; the image's registry and AWS's simulation are the test's."""

from __future__ import annotations

import json

import boto3
import pytest

from hybrid.aws.errors import AwsWrongAccount
from hybrid.delivery.images.errors import RegistryUnreachable
from hybrid.errors import NotReadyError
from hybrid.provider import ecs_launch_check
from hybrid.provider.ecs_launch_check import DEFINITION, EcsLaunchCheck, Launching
from hybrid.provider.properties import UNKNOWN
from tests.unit.aws.motolab import ACCOUNT, REGION, laboratory

pytestmark = pytest.mark.unit

ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
IMAGE = f"{ECR}/hybrid/hello@sha256:" + "a" * 64


class FakeRegistry:
    def __init__(self):
        self.images = {IMAGE: ["linux/amd64"]}

    def platforms(self, reference):
        found = self.images.get(reference)
        if isinstance(found, Exception):
            raise found
        return found


class Simulation:
    """AWS's policy simulation: ``denied`` actions, and what was asked."""

    def __init__(self):
        self.denied: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.granted_after = 0

    def __call__(self, client, operation, given):
        self.asked += [(action, given["ResourceArns"][0]) for action in given["ActionNames"]]
        denied = self.denied if len(self.asked) > 0 and not self._grown() else set()
        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalDecision": "implicitDeny" if action in denied else "allowed"}
                for action in given["ActionNames"]
            ]
        }

    def _grown(self):
        return self.granted_after and len(self.asked) > self.granted_after


@pytest.fixture
def simulation(lab, monkeypatch):
    import botocore.client

    simulation, own = Simulation(), botocore.client.BaseClient._make_api_call

    def call(client, operation, given):
        if operation == "SimulatePrincipalPolicy" and not lab.faults.get(operation):
            return simulation(client, operation, given)
        return own(client, operation, given)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    return simulation


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(ecs_launch_check, "_POLL", 0.0)
    with laboratory(monkeypatch) as lab:
        yield lab


@pytest.fixture
def registry():
    return FakeRegistry()


@pytest.fixture
def resource(registry):
    launching = Launching()
    launching.registry = registry
    return EcsLaunchCheck(launching)


@pytest.fixture
def inputs(lab, simulation):
    trust = json.dumps({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                       "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]})  # fmt: skip
    iam = boto3.client("iam")
    roles = [iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"] for name in ("exec", "code")]
    boto3.client("ecr", region_name=REGION).create_repository(repositoryName="hybrid/hello")
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(Name="hybrid/token", SecretString="v")
    given = {"region": REGION, "account": ACCOUNT, "location": "hello", "image": IMAGE, "executionRoleArn": roles[0],
             "taskRoleArn": roles[1], "secrets": [secret["ARN"]], "settleSeconds": 0}  # fmt: skip
    return DEFINITION.complete(given)


def test_what_can_be_launched_passes_and_nothing_is_said(resource, inputs, call, report, simulation):
    found = resource.create(inputs, call)
    assert found.id == "hello"
    assert found.outputs["findings"] == []
    assert [kind for kind, _ in report.said] == ["status"]
    repository = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/hybrid/hello"
    assert simulation.asked == [
        ("ecr:GetAuthorizationToken", "*"),
        ("ecr:BatchCheckLayerAvailability", repository),
        ("ecr:BatchGetImage", repository),
        ("ecr:GetDownloadUrlForLayer", repository),
        ("secretsmanager:GetSecretValue", inputs["secrets"][0]),
    ]


def test_all_that_is_wrong_is_told_at_once_with_what_to_do(resource, registry, inputs, call, simulation):
    registry.images[IMAGE] = ["linux/arm64/v8"]
    simulation.denied = {"secretsmanager:GetSecretValue"}
    inputs |= {"secrets": [*inputs["secrets"], "token"]}
    with pytest.raises(NotReadyError) as caught:
        resource.create(inputs, call)
    text = caught.value.sentence()
    assert text.startswith("ECS could not launch the code location hello.\n")
    assert f"The image {IMAGE} is for linux/arm64/v8, the task is linux/amd64." in text
    assert "'token' is no ARN of a secret." in text
    assert "The role exec may not read the secret hybrid/token" in text
    assert "so the code server that runs stays" in text
    steps = text.rpartition("Next: ")[2]
    assert "build it for linux/amd64" in steps
    assert "`up` grants it" in steps
    assert "Then run the same command again." in steps


@pytest.mark.parametrize(
    ("platforms", "architecture", "fits"),
    [
        (["linux/amd64", "linux/arm64"], "ARM64", True),
        (["linux/arm64/v8"], "ARM64", True),
        (["linux/amd64"], "ARM64", False),
        ([], "X86_64", True),
    ],
)
def test_the_architecture_is_compared_as_images_spell_it(
    resource, registry, inputs, call, platforms, architecture, fits
):
    registry.images[IMAGE] = platforms
    inputs |= {"architecture": architecture}
    if fits:
        resource.create(inputs, call)
    else:
        with pytest.raises(NotReadyError, match="the task is linux/arm64"):
            resource.create(inputs, call)


def test_an_image_that_is_not_there_is_told_at_once(resource, registry, inputs, call, report):
    registry.images.clear()
    with pytest.raises(NotReadyError, match="is not in its registry"):
        resource.create(inputs | {"settleSeconds": 300}, call)
    assert len(report.said) == 1, "waiting pushes no image"


def test_a_registry_that_this_machine_cannot_reach_is_only_said(resource, registry, inputs, call):
    image = "registry.acme.example/hello:1"
    registry.images[image] = RegistryUnreachable("The registry registry.acme.example does not answer.")
    (said,) = resource.create(inputs | {"image": image}, call).outputs["findings"]
    assert said == f"The image {image} was not looked at: The registry registry.acme.example does not answer."


def test_a_repository_of_another_account_is_said_to_have_a_policy_of_its_own(resource, registry, inputs, call):
    image = IMAGE.replace(ACCOUNT, "999999999999")
    registry.images[image] = ["linux/amd64"]
    (said,) = resource.create(inputs | {"image": image}, call).outputs["findings"]
    assert "its own policy was not looked at" in said


def test_a_grant_of_a_moment_ago_is_waited_for(resource, inputs, call, report, simulation):
    simulation.denied, simulation.granted_after = {"ecr:BatchGetImage"}, 6
    assert resource.create(inputs | {"settleSeconds": 60}, call).outputs["findings"] == []
    assert any("waiting for AWS to know what was just made" in text for _, text in report.said)


def test_who_may_not_ask_for_a_simulation_is_told_and_not_refused(lab, resource, inputs, call):
    lab.refuse("SimulatePrincipalPolicy", "AccessDenied")
    (said,) = resource.create(inputs, call).outputs["findings"]
    assert "may not call iam:SimulatePrincipalPolicy" in said


def test_of_a_role_that_is_not_there_no_rights_are_asked(resource, inputs, call, simulation):
    with pytest.raises(NotReadyError, match="The role nobody does not exist") as caught:
        resource.create(inputs | {"executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, call)
    assert "hello" in caught.value.what
    assert simulation.asked == []


def test_the_login_of_a_private_registry_is_a_secret_like_others(resource, registry, inputs, call, simulation):
    registry.images["ghcr.io/acme/x:1"] = ["linux/amd64"]
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ghcr-AbCdEf"
    with pytest.raises(NotReadyError, match="The secret ghcr-AbCdEf does not exist"):
        resource.create(inputs | {"image": "ghcr.io/acme/x:1", "repositoryCredentials": secret}, call)


def test_nothing_is_asked_in_a_preview_nor_when_nothing_changed(lab, resource, inputs):
    lab.calls.clear()
    assert resource.check(inputs | {"image": UNKNOWN}) == []
    assert resource.completed(inputs, inputs, None) == inputs
    assert resource.diff(inputs, {}, inputs) == []
    assert resource.foreseen(inputs) == {}
    (change,) = resource.diff(inputs, {}, inputs | {"image": IMAGE.replace("a" * 64, "b" * 64)})
    assert (change.path, change.replaces) == ("image", False)
    assert lab.calls == []


def test_reading_and_deleting_it_ask_nothing(lab, resource, inputs, call):
    lab.calls.clear()
    assert resource.read("hello", inputs, {"passed": "x", "findings": []}, call).outputs["passed"] == "x"
    resource.delete("hello", inputs, {}, call)
    assert lab.calls == []


def test_a_wrong_image_or_account_is_named(resource, inputs, call):
    failures = resource.check(inputs | {"image": "ghcr.io/UPPER/x", "account": "1"})
    assert sorted(failure.path for failure in failures) == ["account", "image"]
    with pytest.raises(AwsWrongAccount):
        resource.create(inputs | {"account": "999999999999"}, call)
