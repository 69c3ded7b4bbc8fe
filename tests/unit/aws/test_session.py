"""The door to AWS: which account it opens to, and what people read when it does not open. AWS's answers are moto's or
made up by the test; that AWS words them so is for a real account to show."""

from __future__ import annotations

import botocore.exceptions as faults
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from hybrid.aws import errors
from hybrid.aws.session import Aws, is_account
from tests.unit.aws.motolab import ACCOUNT, REGION

pytestmark = pytest.mark.unit


def test_the_right_account_is_asked_once_and_before_anything_else(lab, aws):
    lab.calls.clear()
    with aws.doing("look"):
        aws.ecs.list_clusters()
        aws.logs.describe_log_groups()
    assert lab.calls == ["GetCallerIdentity", "ListClusters", "DescribeLogGroups"]


def test_another_account_is_refused_before_anything_is_asked_of_it(lab):
    lab.calls.clear()
    with pytest.raises(errors.AwsWrongAccount) as caught:
        Aws(REGION, "999999999999").ecs.list_clusters()
    assert lab.calls == ["GetCallerIdentity"], "nothing may be done with the wrong account's keys"
    text = caught.value.sentence()
    assert f"are of account {ACCOUNT}, the stack's account is 999999999999" in text
    assert "Next: set AWS_PROFILE" in text


def test_without_an_account_any_is_taken(lab):
    lab.calls.clear()
    Aws(REGION).ecs.list_clusters()
    assert lab.calls == ["ListClusters"]


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("ExpiredTokenException", errors.AwsCredentialsRefused, "have expired"),
        ("UnrecognizedClientException", errors.AwsCredentialsRefused, "does not know these credentials"),
        ("AccessDeniedException", errors.AwsDenied, "does not allow this identity to list the tasks"),
        ("ThrottlingException", errors.AwsThrottled, "too many requests"),
        ("ClusterNotFoundException", errors.AwsNotFound, "refused to list the tasks"),
        ("InvalidParameterException", errors.AwsError, "refused to list the tasks"),
    ],
)
def test_answers_of_aws_become_errors_with_a_next_step(aws, code, kind, said):
    with pytest.raises(errors.AwsError) as caught, aws.doing("list the tasks"):
        raise ClientError({"Error": {"Code": code, "Message": "because"}}, "ListTasks")
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert said in caught.value.what
    assert "because" in caught.value.why
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (faults.NoCredentialsError(), errors.AwsCredentialsMissing, "There are no AWS credentials."),
        (faults.ProfileNotFound(profile="prod"), errors.AwsCredentialsMissing, "There are no AWS credentials."),
        (faults.UnauthorizedSSOTokenError(), errors.AwsCredentialsRefused, "The AWS login is not valid any more."),
        (faults.EndpointConnectionError(endpoint_url="https://x"), errors.AwsUnreachable, "could not be asked to look"),
        (faults.ReadTimeoutError(endpoint_url="https://x"), errors.AwsUnreachable, "could not be asked to look"),
        (ResponseParserError("<html>"), errors.AwsUnreachable, "could not be asked to look"),
    ],
)
def test_what_never_got_an_answer_is_told_apart(aws, fault, kind, said):
    with pytest.raises(errors.AwsError) as caught, aws.doing("look"):
        raise fault
    assert type(caught.value) is kind
    assert said in caught.value.sentence()


def test_an_unknown_profile_is_told_of_when_a_client_is_opened(lab, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(errors.AwsCredentialsMissing, match="nobody"):
        Aws(REGION, ACCOUNT).ecs.list_clusters()


def test_a_token_in_the_words_of_aws_is_masked(aws):
    token = "agent:acme:" + "0123456789abcdef" * 2
    with pytest.raises(errors.AwsError) as caught, aws.doing("look"):
        raise ClientError({"Error": {"Code": "X", "Message": f"bad {token}"}}, "Y")
    assert "0123456789abcdef" not in caught.value.sentence()


def test_a_fault_of_ours_stays_one(aws):
    with pytest.raises(KeyError), aws.doing("look"):
        raise KeyError("a")


@pytest.mark.parametrize(("text", "good"), [("123456789012", True), ("12345678901", False), ("12345678901x", False)])
def test_an_account_is_twelve_digits(text, good):
    assert is_account(text) is good
