"""IO managers that are set up by environment, so that assets without one of their own need no edit of code.

Dagster takes an asset's IO manager from ``DAGSTER_DEFAULT_IO_MANAGER_MODULE`` and
``DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE`` when neither the asset nor its location names one
(dagster/_core/definitions/job_definition.py); the attribute has to be an ``IOManagerDefinition``. A location
that runs with

    DAGSTER_DEFAULT_IO_MANAGER_MODULE=asset_values.io_manager
    DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE=s3_pickle_io_manager
    ASSET_VALUES_BUCKET=…

stores where Dagster's own ``S3PickleIOManager`` with the same bucket and prefix would.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dagster import InitResourceContext, io_manager

if TYPE_CHECKING:
    from dagster import UPathIOManager

BUCKET: Final = "ASSET_VALUES_BUCKET"
PREFIX: Final = "ASSET_VALUES_PREFIX"
REGION: Final = "ASSET_VALUES_REGION"
ENDPOINT: Final = "ASSET_VALUES_ENDPOINT"
FOLDER: Final = "ASSET_VALUES_FOLDER"
ACCOUNT: Final = "ASSET_VALUES_ACCOUNT"
CONTAINER: Final = "ASSET_VALUES_CONTAINER"
DEFAULT_PREFIX: Final = "assets"
"""Below which keys of a bucket: beside what else lies in it (compute logs)."""


class MissingSettingError(Exception):
    """A variable without which an IO manager cannot be set up."""


@io_manager(
    description=f"Pickles in S3: bucket {BUCKET}, below {PREFIX} ({DEFAULT_PREFIX}), with {REGION} and {ENDPOINT}."
)
def s3_pickle_io_manager(_context: InitResourceContext) -> UPathIOManager:
    """Dagster's pickles in S3, with the credentials that boto3 finds. A prefix of ``/`` is the whole bucket.

    Raises ``MissingSettingError`` without a bucket, and what boto3 raises when the bucket cannot be listed.
    """
    from dagster_aws.s3 import S3Resource
    from dagster_aws.s3.io_manager import PickledObjectS3IOManager

    bucket = _needed(BUCKET, "the bucket in which asset values lie", "s3_pickle_io_manager")
    client = S3Resource(region_name=os.environ.get(REGION) or None, endpoint_url=os.environ.get(ENDPOINT) or None)
    prefix = (os.environ.get(PREFIX) or DEFAULT_PREFIX).strip("/")
    return PickledObjectS3IOManager(s3_bucket=bucket, s3_session=client.get_client(), s3_prefix=prefix)


@io_manager(
    description=f"Pickles in Azure: account {ACCOUNT}, container {CONTAINER}, below {PREFIX} ({DEFAULT_PREFIX})."
)
def adls2_pickle_io_manager(_context: InitResourceContext) -> UPathIOManager:
    """Dagster's pickles in Azure Data Lake Storage, by the identity that Azure's libraries find. The location needs
    dagster-azure.

    Raises ``MissingSettingError`` without an account or a container, and what Azure's library raises when the container
    cannot be seen.
    """
    from azure.identity import DefaultAzureCredential
    from dagster_azure.adls2 import PickledObjectADLS2IOManager, create_adls2_client
    from dagster_azure.adls2.utils import DataLakeLeaseClient
    from dagster_azure.blob.utils import create_blob_client

    account = _needed(ACCOUNT, "the storage account in which asset values lie", "adls2_pickle_io_manager")
    container = _needed(CONTAINER, "the container in which asset values lie", "adls2_pickle_io_manager")
    credential = DefaultAzureCredential()
    manager: UPathIOManager = PickledObjectADLS2IOManager(
        file_system=container,
        adls2_client=create_adls2_client(account, credential),
        blob_client=create_blob_client(account, credential),
        lease_client_constructor=DataLakeLeaseClient,
        prefix=(os.environ.get(PREFIX) or DEFAULT_PREFIX).strip("/"),
    )
    return manager


@io_manager(description=f"Pickles in the folder {FOLDER}.")
def folder_pickle_io_manager(_context: InitResourceContext) -> UPathIOManager:
    """Dagster's pickles in a folder. Raises ``MissingSettingError`` when it is not named."""
    from dagster._core.storage.fs_io_manager import PickledObjectFilesystemIOManager

    return PickledObjectFilesystemIOManager(  # type: ignore[no-untyped-call]
        base_dir=_needed(FOLDER, "the folder in which asset values lie", "folder_pickle_io_manager")
    )


def _needed(name: str, what: str, attribute: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise MissingSettingError(
            f"{name} is not set: it names {what}.\n"
            f"DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE={attribute} makes it the IO manager of all assets that have none "
            "of their own.\n"
            f"Next: give the location {name} (env_vars of its container context, or the stack's environment), "
            "or take the two DAGSTER_DEFAULT_IO_MANAGER_ variables away."
        )
    return value
