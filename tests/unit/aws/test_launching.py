"""What is said before a location is launched: of roles, secrets, repositories and permissions. Roles and secrets are
moto's; it has no policy simulation, so those answers are the test's, in the shape of AWS's own."""

from __future__ import annotations

import json

import boto3
import pytest

from hybrid.aws import launching
from hybrid.aws.launching import Permission
from tests.unit.aws.motolab import ACCOUNT, REGION

pytestmark = pytest.mark.unit


def trust(principal="ecs-tasks.amazonaws.com", effect="Allow"):
    statement = {"Effect": effect, "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def iam(lab):
    return boto3.client("iam")


@pytest.fixture
def secret(lab):
    client = boto3.client("secretsmanager", region_name=REGION)

    def made(name="hybrid/token", value="v"):
        given = {"SecretString": value} if value else {}
        return client.create_secret(Name=name, **given)["ARN"]

    made.client = client
    return made


def role(iam, name="code", document=None, **more):
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=document or trust(), **more)["Role"]["Arn"]


def test_a_role_that_trusts_ecs_is_fine(iam, aws):
    assert launching.role_findings(aws, role(iam, Path="/team/"), ACCOUNT) == []
    assert (
        launching.role_findings(aws, role(iam, "two", trust(["ec2.amazonaws.com", launching.ECS_TASKS])), ACCOUNT) == []
    )


@pytest.mark.parametrize("document", [trust("lambda.amazonaws.com"), trust(effect="Deny")])
def test_a_role_that_does_not_trust_ecs_is_told(iam, aws, document):
    (found,) = launching.role_findings(aws, role(iam, document=document), ACCOUNT)
    assert found.what == "The role code does not trust ecs-tasks.amazonaws.com."
    assert found.is_wrong


def test_a_role_that_is_not_there_or_elsewhere_is_told(iam, aws):
    arn = role(iam, Path="/team/")
    for given, said in (
        (f"arn:aws:iam::{ACCOUNT}:role/nobody", "does not exist"),
        ("arn:aws:iam::999999999999:role/code", "is of account 999999999999"),
        ("code", "is no ARN of a role"),
        (arn.replace("/team/", "/"), "is arn:aws:iam::123456789012:role/team/code, not"),
    ):
        (found,) = launching.role_findings(aws, given, ACCOUNT)
        assert said in found.what
        assert found.is_wrong


def test_a_role_that_may_not_be_looked_at_is_said_and_not_refused(lab, aws):
    lab.refuse("GetRole", "AccessDenied")
    (found,) = launching.role_findings(aws, f"arn:aws:iam::{ACCOUNT}:role/code", ACCOUNT)
    assert not found.is_wrong
    assert "may not call iam:GetRole" in found.what


def test_a_secret_with_a_value_asks_for_the_right_to_read_it(secret, aws):
    arn = secret()
    found, permission, key = launching.secret_findings(aws, f"{arn}:password::")
    assert found == []
    assert permission.actions == ("secretsmanager:GetSecretValue",)
    assert permission.resource == arn, "a grant is for the secret, not for a key of its JSON"
    assert key == ""


def test_a_secret_without_a_value_or_on_its_way_out_is_told(secret, aws):
    empty, leaving = secret("a", value=""), secret("b")
    secret.client.delete_secret(SecretId=leaving, RecoveryWindowInDays=7)
    told = [launching.secret_findings(aws, arn)[0][0] for arn in (empty, leaving, f"{leaving[:-7]}x-AbCdEf", "token")]
    assert ["has no value" in told[0].what, "is being deleted" in told[1].what] == [True, True]
    assert ["does not exist" in told[2].what, "is no ARN" in told[3].what] == [True, True]
    assert all(finding.is_wrong for finding in told)


def test_a_parameter_is_named_by_its_own_action(aws):
    found, permission, _ = launching.secret_findings(aws, f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/acme/x")
    assert found == []
    assert permission.actions == ("ssm:GetParameters",)


def test_a_secret_under_a_key_of_its_own_names_it(lab, secret, aws):
    kms = boto3.client("kms", region_name=REGION)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    arn = secret.client.create_secret(Name="own", SecretString="v", KmsKeyId=key)["ARN"]
    assert launching.secret_findings(aws, arn)[2] == key
    assert launching.key_permission(key, REGION).context == {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}


def test_a_repository_that_is_not_there_is_told(lab, aws):
    boto3.client("ecr", region_name=REGION).create_repository(repositoryName="hybrid/hello")
    assert launching.repository_findings(aws, ACCOUNT, "hybrid/hello") == []
    (found,) = launching.repository_findings(aws, ACCOUNT, "hybrid/nope")
    assert "hybrid/nope does not exist" in found.what
    lab.refuse("DescribeRepositories", "AccessDeniedException")
    (found,) = launching.repository_findings(aws, ACCOUNT, "hybrid/hello")
    assert not found.is_wrong


ROLE = f"arn:aws:iam::{ACCOUNT}:role/hybrid-code-execution"
READ = Permission(("secretsmanager:GetSecretValue",), "arn:aws:secretsmanager:x", "read the secret token")


@pytest.fixture
def simulation(aws, monkeypatch):
    """AWS's simulation: ``decisions`` by action, "allowed" unless told; what was asked is kept."""
    asked, decisions, missing = [], {}, {}

    def simulate(**given):
        asked.append(given)
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": name,
                    "EvalDecision": decisions.get(name, "allowed"),
                    "MissingContextValues": missing.get(name, []),
                }
                for name in given["ActionNames"]
            ]
        }

    monkeypatch.setattr(aws.iam, "simulate_principal_policy", simulate)
    simulate.asked, simulate.decisions, simulate.missing = asked, decisions, missing
    return simulate


def test_what_a_role_may_is_asked_of_aws_itself(aws, simulation):
    assert launching.permission_findings(aws, ROLE, [READ]) == []
    (asked,) = simulation.asked
    assert (asked["PolicySourceArn"], asked["ResourceArns"]) == (ROLE, [READ.resource])


def test_what_a_role_may_not_is_told_by_action_and_resource(aws, simulation):
    simulation.decisions["ecr:BatchGetImage"] = "implicitDeny"
    pull = launching.pull_permissions(REGION, ACCOUNT, "hybrid/hello", "aws")
    (found,) = launching.permission_findings(aws, ROLE, pull)
    assert found.what == (
        "The role hybrid-code-execution may not pull from hybrid/hello: its policies do not allow ecr:BatchGetImage on "
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/hybrid/hello."
    )
    assert found.is_wrong


def test_a_denial_that_hangs_on_what_is_not_known_is_only_said(aws, simulation):
    simulation.decisions[READ.actions[0]] = "implicitDeny"
    simulation.missing[READ.actions[0]] = ["aws:SourceVpc"]
    (found,) = launching.permission_findings(aws, ROLE, [READ])
    assert not found.is_wrong
    assert "depends on aws:SourceVpc" in found.what


def test_who_may_not_simulate_is_told_so_and_not_refused(lab, aws):
    lab.refuse("SimulatePrincipalPolicy", "AccessDenied")
    (found,) = launching.permission_findings(aws, ROLE, [READ, READ])
    assert not found.is_wrong
    assert "may not call iam:SimulatePrincipalPolicy" in found.what


def test_a_simulation_that_does_not_answer_keeps_nothing_from_being_launched(lab, aws):
    lab.refuse("SimulatePrincipalPolicy", "ServiceFailure")
    (found,) = launching.permission_findings(aws, ROLE, [READ])
    assert not found.is_wrong
    assert "was not tried: AWS refused to try what hybrid-code-execution may do." in found.what
