"""S3 as tests of stored values have it: an account of moto's, buckets, places, troubles, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from asset_values.faults import Fault
from asset_values.model import Condition, Note
from asset_values.stores.credentials import FixedKeys
from asset_values.stores.places import S3Place
from tests.aws.moto_server import REGION, Moto
from tests.standins.s3.fault_proxy import Seen

NOTE = Note("source version", "ab" * 32)
NOTHING = Condition()
KEYS = FixedKeys("testing", "testing")


class MotoOfS3(Moto):
    """An account whose copies have conditions, as S3's."""

    module = "tests.aws.moto_s3_process"


def made(server: Moto, request: pytest.FixtureRequest, suffix: str = "") -> str:
    name = f"t-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]}{suffix}"
    server.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def place(endpoint: str, bucket: str, prefix: str = "assets", **more: Any) -> S3Place:
    return S3Place(bucket, prefix, **{"region": REGION, "endpoint": endpoint, **more})


def gets(key: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.method == "GET" and seen.path.split("?")[0].endswith(f"/{key}")


def puts(key: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.method == "PUT" and seen.path.split("?")[0].endswith(f"/{key}")


def refused(work: Callable[[], Any]) -> Fault:
    with pytest.raises(Fault) as caught:
        work()
    reason = str(caught.value)
    assert "\n" not in reason
    assert "<" not in reason, "no document of a server in it"
    assert "?" not in reason, "no query of an address in it"
    return caught.value
