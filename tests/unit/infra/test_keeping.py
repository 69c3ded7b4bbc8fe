"""What a stack finds in the account when it is stood up: what is there is asked of moto, or of recorded answers where
moto knows no other accounts. That the engine then imports is seen where the real one runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from hybrid.errors import SettingsError
from infra import standing
from infra.keeping import Adoption, Standing, adoption

pytestmark = pytest.mark.unit

ACCOUNT = "123456789012"
REGION = "eu-west-1"
OWNER = "dagster-hybrid/stack"
TAGS = {OWNER: "hybrid-prod", "team": "data"}
PAIRS = [{"Key": key, "Value": value} for key, value in TAGS.items()]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def client(service: str):
    return boto3.client(service, region_name=REGION)


def bucket(name: str, *, tags: bool = True, region: str = REGION) -> None:
    s3 = boto3.client("s3", region_name=region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    if tags:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": PAIRS})


def test_nothing_is_taken_up_where_nothing_stands() -> None:
    assert adoption("bucket", None, TAGS, OWNER) is None


def test_ours_is_taken_up_with_its_tags_compared_while_the_stack_stands() -> None:
    assert adoption("bucket", Standing("data", TAGS), TAGS, OWNER) == Adoption("data")
    assert adoption("secret", Standing("token", TAGS, id="arn"), TAGS, OWNER) == Adoption("arn")


def test_a_stack_stood_up_again_takes_the_tags_of_its_things_as_they_are() -> None:
    found = Standing("data", {OWNER: "hybrid-prod", "team": "before"})
    assert adoption("bucket", found, TAGS, OWNER, stack_stands=False) == Adoption("data", leave_tags=True)


@pytest.mark.parametrize(
    ("found", "why", "next_step"),
    [
        (Standing("data", {OWNER: "hybrid-dev"}), "is 'hybrid-dev'; this stack's is 'hybrid-prod'", "another name"),
        (Standing("data", {"team": "x"}), "does not carry the tag dagster-hybrid/stack=hybrid-prod", "team=data"),
        (Standing("data", {}, empty=True), "does not carry the tag", "delete the bucket"),
        (Standing("data", {OWNER: "hybrid-dev"}, empty=True), "is 'hybrid-dev'", "another name"),
    ],
    ids=["another stack's", "nobody's", "of an interrupted up", "another stack's, empty"],
)
def test_what_is_not_ours_is_left_alone(found: Standing, why: str, next_step: str) -> None:
    with pytest.raises(SettingsError) as caught:
        adoption("bucket", found, TAGS, OWNER)
    assert caught.value.what == "The bucket data is in this account already, and it is not this stack's."
    assert why in str(caught.value.why)
    assert next_step in str(caught.value.next_step)


@pytest.mark.usefixtures("aws")
def test_a_bucket_is_found_with_its_tags_and_whether_it_is_empty() -> None:
    assert standing.bucket(client("s3"), "data", ACCOUNT, REGION) is None
    bucket("data")
    bucket("bare", tags=False)
    assert standing.bucket(client("s3"), "data", ACCOUNT, REGION) == Standing("data", TAGS, empty=True)
    assert standing.bucket(client("s3"), "bare", ACCOUNT, REGION) == Standing("bare", {}, empty=True)
    client("s3").put_object(Bucket="data", Key="assets/a", Body=b"x")
    assert standing.bucket(client("s3"), "data", ACCOUNT, REGION) == Standing("data", TAGS, empty=False)


@pytest.mark.usefixtures("aws")
def test_a_bucket_whose_objects_were_deleted_is_not_empty_while_versions_stay() -> None:
    bucket("data")
    s3 = client("s3")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="data", Key="a", Body=b"x")
    s3.delete_object(Bucket="data", Key="a")
    found = standing.bucket(s3, "data", ACCOUNT, REGION)
    assert found is not None
    assert not found.empty, "the old version is data"


@pytest.mark.usefixtures("aws")
def test_a_bucket_in_another_region_is_told() -> None:
    bucket("data", region="us-west-2")
    with pytest.raises(SettingsError, match="lies in us-west-2, and the stack in eu-west-1"):
        standing.bucket(client("s3"), "data", ACCOUNT, REGION)


@pytest.mark.parametrize(
    ("status", "says"), [(403, "is another account's"), (301, "lies in another region"), (400, "in another region")]
)
def test_a_bucket_of_another_account_is_told(status: int, says: str) -> None:
    s3 = client("s3")
    with Stubber(s3) as answers:
        answers.add_client_error(
            "head_bucket",
            str(status),
            "Forbidden",
            status,
            expected_params={"Bucket": "data", "ExpectedBucketOwner": ACCOUNT},
        )
        with pytest.raises(SettingsError, match=says) as caught:
            standing.bucket(s3, "data", ACCOUNT, REGION)
    assert caught.value.next_step


@pytest.mark.usefixtures("aws")
def test_of_the_wanted_repositories_those_that_stand_are_found() -> None:
    ecr = client("ecr")
    assert standing.repositories(ecr, ["hybrid-prod/a"]) == {}
    for name in ("hybrid-prod/a", "hybrid-prod/b", "others"):
        ecr.create_repository(repositoryName=name, tags=PAIRS if name.endswith("a") else [])
    assert standing.repositories(ecr, ["hybrid-prod/a", "hybrid-prod/b", "hybrid-prod/c"]) == {
        "hybrid-prod/a": Standing("hybrid-prod/a", TAGS),
        "hybrid-prod/b": Standing("hybrid-prod/b", {}),
    }


@pytest.mark.usefixtures("aws")
def test_a_secret_is_found_by_its_arn() -> None:
    secrets = client("secretsmanager")
    assert standing.secret(secrets, "hybrid-prod/agent-token") is None
    arn = secrets.create_secret(Name="hybrid-prod/agent-token", SecretString="x", Tags=PAIRS)["ARN"]
    assert standing.secret(secrets, "hybrid-prod/agent-token") == Standing("hybrid-prod/agent-token", TAGS, id=arn)


@pytest.mark.usefixtures("aws")
def test_a_secret_that_waits_for_its_end_is_told_with_the_way_back() -> None:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="token", SecretString="x")
    secrets.delete_secret(SecretId="token", RecoveryWindowInDays=7)
    with pytest.raises(SettingsError, match="waits for its recovery window") as caught:
        standing.secret(secrets, "token")
    assert f"{datetime.now(UTC):%Y}" in caught.value.what
    assert "restore-secret --secret-id token" in str(caught.value.next_step)


@pytest.mark.usefixtures("aws")
def test_a_log_group_is_found_by_its_whole_name() -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="/hybrid-prod/agent-of-others")
    assert standing.log_group(logs, "/hybrid-prod/agent") is None
    logs.create_log_group(logGroupName="/hybrid-prod/agent", tags=TAGS)
    assert standing.log_group(logs, "/hybrid-prod/agent") == Standing("/hybrid-prod/agent", TAGS)


@pytest.mark.usefixtures("aws")
def test_a_role_tells_whether_the_stack_stands() -> None:
    iam = client("iam")
    assert not standing.role_stands(iam, "hybrid-prod-agent")
    iam.create_role(RoleName="hybrid-prod-agent", AssumeRolePolicyDocument="{}")
    assert standing.role_stands(iam, "hybrid-prod-agent")


@pytest.mark.parametrize(
    ("service", "operation", "ask"),
    [
        ("iam", "get_role", lambda it: standing.role_stands(it, "x")),
        ("secretsmanager", "describe_secret", lambda it: standing.secret(it, "x")),
    ],
)
def test_a_denied_look_is_no_answer(service: str, operation: str, ask) -> None:
    asked = client(service)
    with Stubber(asked) as answers:
        answers.add_client_error(operation, "AccessDenied", "denied", 403)
        with pytest.raises(ClientError, match="AccessDenied"):
            ask(asked)
