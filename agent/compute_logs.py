"""Where the output of steps goes: the ``compute_logs`` part of an agent's ``dagster.yaml``. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def in_dagster_plus(upload_interval: int | None, *, folder: Path | None = None) -> dict[str, Any]:
    """To Dagster+, whose pages show it (dagster_cloud/storage/compute_logs of dagster-cloud 1.13.27).

    ``upload_interval``: how often that of a step that still runs is sent, in seconds; None: once, when it ends.
    ``folder``: where it lies until then; None: the system's temporary folder.
    """
    config: dict[str, Any] = {}
    if folder is not None:
        config["local_dir"] = str(folder)
    if upload_interval is not None:
        config["upload_interval"] = upload_interval
    return {"module": "dagster_cloud.storage.compute_logs", "class": "CloudComputeLogManager", "config": config}


def in_bucket(bucket: str, prefix: str, region: str, upload_interval: int | None) -> dict[str, Any]:
    """To a bucket of one's own (dagster_aws/s3/compute_log_manager.py of dagster-aws 0.29.27), below
    ``<prefix>/storage``. Dagster+ cannot read there: it shows a link to the object in AWS's console. Code has to have
    dagster-aws."""
    config: dict[str, Any] = {"bucket": bucket, "prefix": prefix, "region": region, "show_url_only": True}
    if upload_interval is not None:
        config["upload_interval"] = upload_interval
    return {"module": "dagster_aws.s3.compute_log_manager", "class": "S3ComputeLogManager", "config": config}


def in_container(account: str, container: str, upload_interval: int | None) -> dict[str, Any]:
    """To a blob container of one's own (dagster_azure/blob/compute_log_manager.py of dagster-azure 0.29.27), below
    ``dagster/storage``, by the identity of whoever writes. Dagster+ cannot read there: it shows the blob's address.
    Code has to have dagster-azure."""
    config: dict[str, Any] = {
        "storage_account": account,
        "container": container,
        # an empty one: with none given Dagster asks for no credential that it could use
        "default_azure_credential": {},
        "show_url_only": True,
    }
    if upload_interval is not None:
        config["upload_interval"] = upload_interval
    return {"module": "dagster_azure.blob.compute_log_manager", "class": "AzureBlobComputeLogManager", "config": config}


def nowhere() -> dict[str, Any]:
    """It is not captured; what code writes is in the container's own log alone."""
    return {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
        "config": {},
    }
