"""The questions to a real AWS account: refused before anything runs when it is not said which, or without credentials.
They read, and ask AWS's simulator of policies; nothing is made or changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import pytest

_HERE = Path(__file__).parent
ACCOUNT: Final = "HYBRID_LIVE_AWS_ACCOUNT"
STACK: Final = "HYBRID_LIVE_AWS_STACK"


@pytest.hookimpl(trylast=True)  # after `-m`: whoever does not ask for live tests needs no account
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if item.path.is_relative_to(_HERE) and item.get_closest_marker("live")]
    if mine and (missing := missing_for_aws(dict(os.environ))):
        raise pytest.UsageError(f"{missing} Nothing was asked of AWS.")


def missing_for_aws(environ: dict[str, str]) -> str:
    """What the live tests lack; empty when they may run. The account is named so that no other one is ever asked."""
    wanted = environ.get(ACCOUNT, "")
    if not wanted:
        return f"The live tests need the account's twelve digits ({ACCOUNT}) and AWS credentials of it."
    from hybrid.aws.session import Aws
    from hybrid.errors import HybridError

    try:
        Aws(environ.get("AWS_REGION") or "us-east-1", wanted).check_account()
    except HybridError as error:
        return error.sentence()
    return ""


@pytest.fixture(scope="session")
def iam() -> Any:
    import boto3

    return boto3.client("iam")
