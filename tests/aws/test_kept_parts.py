"""What outlives a stack, by Pulumi's real engine: bucket, repository and log group are kept, taken up again with other
tags, and at last removed. The account is moto's; see tests/unit/infra/test_keeping.py for the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from infra import repository, standing
from infra.bucket import Bucket, BucketArgs
from infra.keeping import OnDestroy, adoption
from infra.log_group import LogGroup, LogGroupArgs
from infra.place import Place
from infra.repository import Repository, RepositoryArgs
from infra.roles import RoleArgs, TaskRole
from infra.secret import Secret, SecretArgs
from tests.aws.fixtures import MakeProgram
from tests.aws.moto_server import ACCOUNT, REGION, Moto

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

PLACE = Place(ACCOUNT, REGION)
OWNER = "dagster-hybrid/stack"
BUCKET, REPOSITORY, LOGS = f"hybrid-prod-{ACCOUNT}-{REGION}", "hybrid-prod/hello", "/hybrid-prod/code"
SECRET, ROLE = "hybrid-prod/agent-token", "hybrid-prod-code"
FIRST, SECOND = "first-token-of-a-test", "second-token-of-a-test"


@dataclass
class Parts:
    """A program of all parts that can be kept. It looks at what stands before it declares."""

    tags: dict[str, str] = field(default_factory=lambda: {OWNER: "hybrid-prod", "team": "data"})
    token: str = FIRST
    on_destroy: OnDestroy = "keep"
    endpoint: str = ""

    def __call__(self) -> None:
        own = pulumi.ResourceOptions(
            provider=aws.Provider(
                "aws",
                region=REGION,
                allowed_account_ids=[ACCOUNT],
                default_tags=aws.ProviderDefaultTagsArgs(tags=self.tags),
            )
        )
        bucket = Bucket(
            "data",
            BucketArgs(
                BUCKET, PLACE, expirations={"compute-logs/": 30}, on_destroy=self.on_destroy,
                adopted=self._taken("bucket", standing.bucket(self._client("s3"), BUCKET, ACCOUNT, REGION)),
            ),
            own,
        )  # fmt: skip
        repositories = standing.repositories(self._client("ecr"), [REPOSITORY])
        images = Repository(
            "hello",
            RepositoryArgs(
                REPOSITORY, PLACE, on_destroy=self.on_destroy,
                adopted=self._taken("repository", repositories.get(REPOSITORY)),
            ),
            own,
        )  # fmt: skip
        secret = Secret(
            "token",
            SecretArgs(
                SECRET, "The token of a test", pulumi.Output.secret(self.token), PLACE,
                adopted=self._taken("secret", standing.secret(self._client("secretsmanager"), SECRET)),
            ),
            own,
        )  # fmt: skip
        role = TaskRole("code", RoleArgs(ROLE, "Code of a test", PLACE), own)
        bucket.grant_read_write("assets", role, "assets/")
        repository.grant_pull("images", role, [images])
        secret.grant_read("token", role)
        found = self._taken("log group", standing.log_group(self._client("logs"), LOGS))
        LogGroup("logs", LogGroupArgs(LOGS, 30, on_destroy=self.on_destroy, adopted=found), own)

    def _client(self, service: Any) -> Any:
        import boto3

        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION,
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip

    def _taken(self, what: str, found: Any) -> Any:
        stands = standing.role_stands(self._client("iam"), ROLE)
        return adoption(what, found, self.tags, OWNER, stack_stands=stands)


def test_what_is_kept_is_taken_up_again_and_removed_when_told(aws_programs: MakeProgram, moto: Moto) -> None:
    program, parts = aws_programs(), Parts(endpoint=moto.endpoint)
    s3, ecr, secrets = moto.client("s3"), moto.client("ecr"), moto.client("secretsmanager")
    program.declare(parts)
    program.up()
    assert FIRST not in program.state_text(), "the token is ciphertext in the state"
    assert program.up(refresh=True).changes == {}, "the same settings change nothing"

    parts.token = SECOND
    assert SECOND not in program.preview().said, "a preview shows no token"
    program.up()
    assert secrets.get_secret_value(SecretId=SECRET)["SecretString"] == SECOND
    program.destroy()
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == [BUCKET]
    assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"], "kept with its policy"
    assert [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]] == [REPOSITORY]
    assert not secrets.list_secrets()["SecretList"], "nobody needs the token any more"
    assert not moto.client("iam").list_roles()["Roles"]

    parts.tags = {OWNER: "hybrid-prod", "team": "other"}
    taken = program.up().changes
    kept = ("data-bucket", "hello-repository", "logs-group")
    assert {name: taken[name] for name in kept} == dict.fromkeys(kept, "import")
    program.up()  # an import takes tags as they are
    tags = {each["Key"]: each["Value"] for each in s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]}
    assert tags == parts.tags
    assert program.up().changes == {}, "and that is all"

    parts.on_destroy = "remove"
    program.up()
    program.destroy()
    assert not s3.list_buckets()["Buckets"]
    assert not ecr.describe_repositories()["repositories"]
    assert not moto.client("logs").describe_log_groups()["logGroups"]
