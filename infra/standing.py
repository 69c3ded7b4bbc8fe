"""What of a stack's things is in the account already, asked before the program declares them.

Every function takes a boto3 client and changes nothing. What they find goes to ``infra.keeping.adoption``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from hybrid.errors import HybridError, SettingsError
from infra.keeping import Standing

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

_AT_A_TIME = 8  # questions about tags, of which ECR answers one repository each


def bucket(client: S3Client, name: str, account: str, region: str) -> Standing | None:
    """The bucket of that name, or None.

    Raises ``SettingsError`` when another account has it, when it lies in another region, and when its tags may not be
    read.
    """
    from botocore.exceptions import ClientError

    try:
        answer = client.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        if _status(error) == 404:
            return None
        raise _not_ours(name, account, error) from error
    where = answer.get("BucketRegion") or region
    if where != region:
        raise _elsewhere(name, where, region)
    return Standing(name, _bucket_tags(client, name), empty=_is_empty(client, name))


def repositories(client: ECRClient, names: Collection[str]) -> Mapping[str, Standing]:
    """Those of ``names`` that are repositories of the account already."""
    wanted, found = set(names), dict[str, str]()
    # asked by name, ECR answers nothing at all when one of them is missing
    for page in client.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 1000}):
        found |= {one["repositoryName"]: one["repositoryArn"] for one in page["repositories"]}
    ours = sorted(wanted & found.keys())

    def standing(name: str) -> Standing:
        tags = client.list_tags_for_resource(resourceArn=found[name])["tags"]
        return Standing(name, {tag["Key"]: tag["Value"] for tag in tags})

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return dict(zip(ours, pool.map(standing, ours), strict=True))


def secret(client: SecretsManagerClient, name: str) -> Standing | None:
    """The secret of that name, or None.

    Raises ``SettingsError`` when it waits for its deletion: AWS gives its name to nobody until then.
    """
    from botocore.exceptions import ClientError

    try:
        found = client.describe_secret(SecretId=name)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            return None
        raise
    if "DeletedDate" in found:
        raise SettingsError(
            f"The secret {name} was deleted on {found['DeletedDate']:%Y-%m-%d} and waits for its recovery window.",
            why="AWS gives its name to no other secret until the window is over.",
            next_step=f"Restore it: aws secretsmanager restore-secret --secret-id {name}; the next `up` takes it up.",
        )
    return Standing(name, _pairs(found.get("Tags", [])), id=found["ARN"])


def log_group(client: CloudWatchLogsClient, name: str) -> Standing | None:
    """The log group of that name, or None."""
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                arn = group["arn"].removesuffix(":*")
                return Standing(name, client.list_tags_for_resource(resourceArn=arn)["tags"])
    return None


def role_stands(client: IAMClient, name: str) -> bool:
    """Whether a role is there: the stack's own tell whether anything of it stands, since a destroy leaves none."""
    from botocore.exceptions import ClientError

    try:
        client.get_role(RoleName=name)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchEntity":
            return False
        raise
    return True


def _bucket_tags(client: S3Client, name: str) -> dict[str, str]:
    from botocore.exceptions import ClientError

    try:
        return _pairs(client.get_bucket_tagging(Bucket=name)["TagSet"])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchTagSet":
            return {}
        raise


def _is_empty(client: S3Client, name: str) -> bool:
    page = client.list_object_versions(Bucket=name, MaxKeys=1)
    return not page.get("Versions") and not page.get("DeleteMarkers")


def _pairs(tags: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _not_ours(name: str, account: str, error: ClientError) -> HybridError:
    if _status(error) in (301, 307, 400):
        return SettingsError(
            f"The bucket {name} lies in another region.",
            why="Bucket names are one space for all regions and accounts.",
            next_step="Name another in `hybrid:aws` → `storage` → `name`.",
        )
    return SettingsError(
        f"The bucket {name} is another account's, or these credentials may not look at it.",
        why=f"S3 answered {_status(error)} when asked for it as a bucket of {account}. Bucket names are one space for "
        "all accounts.",
        next_step="Name another in `hybrid:aws` → `storage` → `name`; or, if it is yours, let these credentials "
        "s3:ListBucket it.",
    )


def _elsewhere(name: str, where: str, region: str) -> HybridError:
    return SettingsError(
        f"The bucket {name} lies in {where}, and the stack in {region}.",
        why="Bucket names are one space for all regions and accounts.",
        next_step="Name another in `hybrid:aws` → `storage` → `name`.",
    )
