"""The two clients of one place on S3: obstore for values, boto3 for what obstore cannot do.

obstore costs a third of boto3's processor time a request, but has no conditional multipart uploads, no conditional
copies and no keys with ``.``, ``..`` or empty names in them. Only its synchronous calls are used: its bridge to asyncio
aborts the interpreter at the end (measured with 0.12.1).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from asset_values.faults import Fault, FaultKind
from asset_values.stores.credentials import AccessKeys, Credentials
from asset_values.stores.places import S3Place
from asset_values.stores.s3_faults import fault_of, refusal_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from obstore.store import S3Config, S3Credential
    from obstore.store import S3Store as ObstoreStore

_TRIES: Final = 3  # of one request; whoever copies tries again at its own pace
_CONNECT: Final = timedelta(seconds=10)
_READ: Final = timedelta(seconds=60)  # without a byte
_WHOLE: Final = timedelta(minutes=15)  # of one request with its body
_FALLBACK_REGION: Final = "us-east-1"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Clients:
    """Both, made with the same keys."""

    keys: AccessKeys
    values: ObstoreStore
    calls: S3Client


class ClientPool:
    """Makes the clients of a place anew when its keys change. For many threads."""

    def __init__(self, place: S3Place, credentials: Credentials, threads: int) -> None:
        self.place = place
        self._credentials = credentials
        self._threads = threads
        self._lock = threading.Lock()
        self._clients: Clients | None = None

    def current(self) -> Clients:
        return self._with(self._credentials.current())

    def _with(self, keys: AccessKeys) -> Clients:
        clients = self._clients
        if clients is None or clients.keys != keys:
            with self._lock:
                clients = self._clients
                if clients is None or clients.keys != keys:
                    if self.place.region is None:
                        self.place = self.place.inside(self._find_region(keys))
                    calls = boto3_client(self.place, keys, self._threads)
                    clients = Clients(keys, _obstore(self.place, keys, calls.meta.endpoint_url, self._threads), calls)
                    self._clients = clients
        return clients

    def do(self, action: str, work: Callable[[Clients], Result], key: str | None = None) -> Result:
        """``work``, with expired keys renewed once. ``action`` is the permission that it needs; ``key``: what it reads
        with HEAD, so that a refusal without words can be asked for its reason.

        Raises ``Fault``.
        """
        clients = self.current()
        try:
            return work(clients)
        except Exception as error:
            fault = self._fault(error, action, clients, key)
            if fault.kind is not FaultKind.EXPIRED:
                raise fault from None
        try:
            return work(self._with(self._credentials.renewed(clients.keys)))
        except Exception as error:
            raise self._fault(error, action, self.current(), key) from None

    def _fault(self, error: Exception, action: str, clients: Clients, key: str | None) -> Fault:
        if not isinstance(error, Fault) and key is not None and refusal_of(error).is_unexplained:
            try:
                clients.calls.get_object(Bucket=self.place.bucket, Key=key, Range="bytes=0-0")["Body"].close()
            except Exception as explained:
                error = explained
        return fault_of(error, self.place, action)

    def _find_region(self, keys: AccessKeys) -> str:
        """Where the bucket is; what the environment says at another endpoint than AWS's."""
        import boto3.session

        said = boto3.session.Session().region_name or _FALLBACK_REGION
        client = boto3_client(self.place.inside(said), keys, 1)
        if not is_of_aws(client.meta.endpoint_url):
            return said
        try:
            return client.head_bucket(Bucket=self.place.bucket).get("BucketRegion") or said
        except Exception as error:
            refusal = refusal_of(error)
            if refusal.status in (301, 307, 400, 403):  # also who may not list is told the region
                return refusal.region or said
            raise fault_of(error, self.place, "s3:ListBucket") from None


def boto3_client(place: S3Place, keys: AccessKeys, threads: int) -> S3Client:
    """A client of boto3's for ``place``."""
    import boto3.session
    from botocore.config import Config

    session = boto3.session.Session(
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
        region_name=place.region,
    )
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        max_pool_connections=max(threads, 10),
        connect_timeout=_CONNECT.total_seconds(),
        read_timeout=_READ.total_seconds(),
        s3={"addressing_style": "path"} if place.endpoint else {},
    )
    return session.client("s3", endpoint_url=place.endpoint, config=config)


def is_of_aws(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def _obstore(place: S3Place, keys: AccessKeys, endpoint: str, threads: int) -> ObstoreStore:
    """``endpoint`` as botocore found it, which knows partitions and the environment's settings."""
    from obstore.store import S3Store as ObstoreStore

    virtual = is_of_aws(endpoint) and "." not in place.bucket
    if virtual:
        scheme, _, host = endpoint.partition("://")
        endpoint = f"{scheme}://{place.bucket}.{host}"
    config: S3Config = {
        "region": place.region or _FALLBACK_REGION,
        "endpoint": endpoint,
        "aws_endpoint_url_s3": endpoint,  # else the environment's would win
        "virtual_hosted_style_request": virtual,
        "checksum_algorithm": "SHA256",  # S3 verifies what arrives, and keeps it; costs nothing measurable
    }
    if place.key_arn:
        config["server_side_encryption"] = "aws:kms"
        config["sse_kms_key_id"] = place.key_arn
        config["sse_bucket_key_enabled"] = True
    credential: S3Credential = {
        "access_key_id": keys.access_key,
        "secret_access_key": keys.secret_key,
        "token": keys.token,
        "expires_at": None,  # new keys make a new client
    }
    return ObstoreStore(
        place.bucket,
        config=config,
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": _CONNECT,
            "read_timeout": _READ,
            "timeout": _WHOLE,
            "pool_max_idle_per_host": str(threads),
        },
        retry_config={
            "max_retries": _TRIES - 1,
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=2),
                "base": 2,
            },
            "retry_timeout": timedelta(seconds=60),
        },
        credential_provider=lambda: credential,
    )
