"""An account in moto with the official template's stack, and a door to it."""

from __future__ import annotations

import pytest
from moto import mock_aws

from hybrid.adopt.account import Account
from tests.unit.adopt.estate import ACCOUNT, REGION, official


@pytest.fixture
def estate(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_EC2_METADATA_DISABLED": "true",
        "MOTO_ACCOUNT_ID": ACCOUNT,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        made = official(monkeypatch)
        made.service = made.agent()
        yield made


@pytest.fixture
def account(estate):
    return Account(REGION, ACCOUNT)
