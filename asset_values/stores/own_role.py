"""Who this process is to AWS: the role that a destination's own role has to trust."""

from __future__ import annotations

import os
import re
from typing import Final

from asset_values.faults import Fault
from asset_values.stores.credentials import Credentials, DefaultChain
from asset_values.stores.places import S3Place
from asset_values.stores.s3_faults import fault_of

_SESSION: Final = re.compile(r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([^/]+)/.+")


def own_role(credentials: Credentials | None = None, region: str | None = None, endpoint: str | None = None) -> str:
    """The ARN behind ``credentials`` (default: botocore's chain, by which a destination's role is assumed).

    A session is told as its role; STS does not tell a role's path, so one with a path is told without it. No right is
    needed for the question (docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html). ``endpoint``: of
    STS, where it is not AWS's own. Raises ``Fault``.
    """
    import boto3
    from botocore.config import Config

    keys = (credentials or DefaultChain()).current()
    try:
        client = boto3.client(
            "sts",
            region_name=region or os.environ.get("AWS_REGION") or "us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=5, read_timeout=10),
        )
        arn = str(client.get_caller_identity()["Arn"])
    except Exception as error:
        fault = fault_of(error, S3Place("credentials"), "sts:GetCallerIdentity")
        raise Fault(fault.kind, f"STS did not say whose the AWS credentials are ({type(error).__name__}).") from None
    found = _SESSION.fullmatch(arn)
    return arn if found is None else f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}"
