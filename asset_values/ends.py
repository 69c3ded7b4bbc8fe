"""IO managers of Dagster whose values are pickles, one a file, at keys that are known: what can be copied as bytes.

A class that derives from one of these may store otherwise, so that only the very classes are taken; all others are
loaded and stored by their own code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asset_values.faults import Fault, FaultKind
from asset_values.value_key import value_key

if TYPE_CHECKING:
    from asset_values.stores.blob import BlobStore
    from asset_values.stores.credentials import AccessKeys, Credentials
    from asset_values.stores.folder import FolderStore
    from asset_values.stores.places import BlobPlace, S3Place
    from asset_values.stores.presigned import PresignedStore
    from asset_values.stores.s3 import S3Store

    Store = S3Store | BlobStore | FolderStore | PresignedStore

_AHEAD: Final = timedelta(minutes=5)
"""Before the end at which Serverless's IO manager renews its credentials (dagster_cloud/serverless/io_manager.py)."""


@dataclass(frozen=True)
class End:
    """One place of pickles. ``name`` says which, for people and to tell places apart; ``opened`` makes its store, for
    so many threads. ``in_folder``: keys go as Dagster writes them into a file system, where ``..`` would lead
    out; ``writes``: the store can be written as well as read."""

    name: str
    opened: Callable[[int], Store]
    in_folder: bool = False
    writes: bool = True

    def key(self, asset: Sequence[str], partition: str | None, dimensions: Mapping[str, str] | None) -> str:
        """Where the value of the asset (its key's parts) lies, relative to the store's place."""
        if partition is not None and self.in_folder:
            partition = _harmless("/".join(key for _, key in sorted(dimensions.items())) if dimensions else partition)
            dimensions = None
        return value_key(asset, partition, dimensions)

    def fallback_key(self, asset: Sequence[str], partition: str) -> str:
        """Where Dagster looks next for a partition of several dimensions: the keys in one name, with bars."""
        return self.key(asset, partition, None)


class RenewedElsewhere:
    """``Credentials`` of a client that an IO manager holds and renews."""

    def __init__(self, held: Callable[[], Any]) -> None:
        self._held = held
        self._last: AccessKeys | None = None

    def current(self) -> AccessKeys:
        from asset_values.stores.credentials import AccessKeys

        keys = self._held().get_frozen_credentials()
        last = self._last
        if last is None or (last.access_key, last.token) != (keys.access_key, keys.token):
            self._last = last = AccessKeys(str(keys.access_key), str(keys.secret_key), keys.token)
        return last

    def renewed(self, stale: AccessKeys) -> AccessKeys:
        keys = self.current()
        if keys is stale:
            raise Fault(FaultKind.EXPIRED, "The IO manager's AWS credentials have expired.")
        return keys


def place_end(place: S3Place | BlobPlace | Path) -> End:
    """The end at a place that no IO manager has been asked for. The store's credentials are those the place says."""
    from asset_values.stores.places import S3Place

    if isinstance(place, Path):
        return _folder_end(place)
    if not isinstance(place, S3Place):
        return _blob_end(place, None)

    def opened(threads: int) -> S3Store:
        from asset_values.stores.s3 import S3Store

        return S3Store(place, _of_the_task(place), threads=threads)

    return End(place.url, opened)


def _of_the_task(place: S3Place) -> Credentials | None:
    """The role that writes, assumed by Serverless's task itself, also where the location's own AWS_* variables name
    other credentials; None: as the store does it everywhere else."""
    from asset_values.stores.credentials import TASK_VARIABLE, AssumedRole, TaskCredentials

    if place.role_arn is None or "DAGSTER_CLOUD_SERVERLESS_STORAGE_S3_BUCKET" not in os.environ:
        return None
    if TASK_VARIABLE not in os.environ:
        return None
    return AssumedRole(place.role_arn, TaskCredentials(), external_id=place.external_id, region=place.region)


def end_of(manager: object) -> End | None:
    """The end that the IO manager stores at; None when its values are not known to be pickles, one a file."""
    known = _KNOWN.get((type(manager).__module__, type(manager).__qualname__))
    return known(manager) if known else None


def _serverless(manager: Any) -> End | None:
    def credentials() -> Any:
        ends = manager._boto_session_expiration
        if ends <= datetime.now(ends.tzinfo) + _AHEAD:
            _ = manager._s3  # renews them; it also makes a client, which costs too much to be asked at each request
        return manager._boto_session.get_credentials()

    return _s3_end(manager._bucket, manager._base_path.as_posix(), manager._s3, credentials)


def _presigned(manager: Any) -> End:
    def headers() -> Mapping[str, str]:
        from dagster_cloud_cli.core.headers.auth import DagsterCloudInstanceScope
        from dagster_cloud_cli.core.headers.impl import get_dagster_cloud_api_headers

        found: Mapping[str, str] = get_dagster_cloud_api_headers(
            manager._api_token, DagsterCloudInstanceScope.DEPLOYMENT, deployment_name=manager._deployment_name
        )
        return found

    def opened(threads: int) -> PresignedStore:
        from asset_values.stores.presigned import PresignedStore

        return PresignedStore(manager._api_url, manager._deployment_name or "", headers, threads=threads)

    return End(f"{manager._api_url} ({manager._deployment_name})", opened, writes=False)


def _s3_pickle(manager: Any) -> End | None:
    signer = getattr(manager.s3, "_request_signer", None)
    credentials = getattr(signer, "_credentials", None)
    return _s3_end(
        manager.bucket, manager._base_path.as_posix(), manager.s3, (lambda: credentials) if credentials else None
    )


def _s3_configured(manager: Any) -> End | None:
    return _s3_pickle(manager.inner_io_manager())


def _folder(manager: Any) -> End | None:
    path = manager._base_path
    if getattr(path, "protocol", "") not in ("", "file", "local"):
        return None  # a file system of fsspec
    return _folder_end(Path(path.path if hasattr(path, "path") else str(path)))


def _folder_configured(manager: Any) -> End | None:
    return _folder_end(Path(manager.base_dir)) if manager.base_dir else None


def _folder_end(path: Path) -> End:
    absolute = path.expanduser().absolute()

    def opened(_threads: int) -> FolderStore:
        from asset_values.stores.folder import FolderStore

        return FolderStore(absolute)

    return End(absolute.as_uri(), opened, in_folder=True)


def _s3_end(bucket: str, prefix: str, client: Any, credentials: Callable[[], Any] | None) -> End | None:
    if prefix.startswith("/"):
        return None  # keys with a leading slash are no prefix that a store has
    below = "" if prefix == "." else prefix
    endpoint = client.meta.endpoint_url
    own = not endpoint.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    def opened(threads: int) -> S3Store:
        from asset_values.stores.places import S3Place
        from asset_values.stores.s3 import S3Store

        place = S3Place(bucket, below, region=client.meta.region_name, endpoint=endpoint if own else None)
        return S3Store(place, RenewedElsewhere(credentials) if credentials else None, threads=threads)

    return End(f"s3://{bucket}/{below}".rstrip("/"), opened)


def _adls2_pickle(manager: Any) -> End | None:
    from asset_values.stores.places import BlobPlace

    client = manager.blob_container_client
    prefix = "" if manager.prefix in ("", ".") else manager.prefix
    cloud = str(client.primary_hostname).partition(".blob.")[2]
    try:
        place = BlobPlace(client.account_name, client.container_name, prefix, None if cloud else _address(client))
    except ValueError:
        return None  # keys with a leading slash are no prefix that a store has
    return _blob_end(replace(place, cloud=cloud) if cloud else place, client.credential)


def _address(client: Any) -> str:
    """Of the account, where it is none of Azure's own."""
    return str(client.url).removesuffix(f"/{client.container_name}")


def _adls2_configured(manager: Any) -> End | None:
    return _adls2_pickle(manager._internal_io_manager)


def _blob_end(place: BlobPlace, credential: Any) -> End:
    """``credential``: None takes the login that Azure's libraries find."""

    def opened(threads: int) -> BlobStore:
        from asset_values.stores.blob import BlobStore

        return BlobStore(place, credential, threads=threads)

    return End(place.url, opened)


def _harmless(partition: str) -> str:
    """As ``escape_dotdot_segments`` of Dagster, which its IO manager of the file system applies."""
    return "/".join("%2E%2E" if part == ".." else part for part in partition.split("/"))


_KNOWN: Mapping[tuple[str, str], Callable[[Any], End | None]] = {
    ("dagster_cloud.serverless.io_manager", "PickledObjectServerlessIOManager"): _serverless,
    ("dagster_cloud.serverless.io_manager", "ServerlessPresignedURLIOManager"): _presigned,
    ("dagster_aws.s3.io_manager", "PickledObjectS3IOManager"): _s3_pickle,
    ("dagster_aws.s3.io_manager", "S3PickleIOManager"): _s3_configured,
    ("dagster_aws.s3.io_manager", "ConfigurablePickledObjectS3IOManager"): _s3_configured,
    ("dagster_azure.adls2.io_manager", "PickledObjectADLS2IOManager"): _adls2_pickle,
    ("dagster_azure.adls2.io_manager", "ADLS2PickleIOManager"): _adls2_configured,
    ("dagster_azure.adls2.io_manager", "ConfigurablePickledObjectADLS2IOManager"): _adls2_configured,
    ("dagster._core.storage.fs_io_manager", "PickledObjectFilesystemIOManager"): _folder,
    ("dagster._core.storage.fs_io_manager", "FilesystemIOManager"): _folder_configured,
}
"""By module and name, so that no class has to be imported to ask."""
