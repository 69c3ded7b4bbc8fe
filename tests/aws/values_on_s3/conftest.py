"""An account of moto's with buckets, and stores in it, with and without troubles on the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asset_values.stores.s3 import S3Store
from tests.aws.moto_server import REGION, Moto
from tests.aws.values_on_s3.account import KEYS, MotoOfS3, made, place
from tests.standins.s3.fault_proxy import FaultProxy


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    server = MotoOfS3(tmp_path_factory.mktemp("moto-of-s3"))
    server.client("s3").create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": REGION})
    yield server
    server.stop()


@pytest.fixture
def bucket(s3: Moto, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own."""
    return made(s3, request)


@pytest.fixture
def store(s3: Moto, bucket: str) -> S3Store:
    return S3Store(place(s3.endpoint, bucket), KEYS)


@pytest.fixture(scope="module")
def proxy(s3: Moto) -> Iterator[FaultProxy]:
    with FaultProxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def troubled(proxy: FaultProxy, bucket: str) -> Iterator[S3Store]:
    """A store behind ``proxy``."""
    proxy.clear()
    yield S3Store(place(proxy.endpoint, bucket), KEYS)
    proxy.clear()
