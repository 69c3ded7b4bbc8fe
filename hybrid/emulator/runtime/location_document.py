"""A location's document: judged by Dagster+'s own schema, and turned into what agents get.

Rests on ``client``: dagster_cloud/workspace/config_schema, dagster_cloud_cli/core/workspace.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._serdes import serialize_value
from dagster_cloud_cli.core.workspace import CodeLocationDeployData, GitMetadata, PexMetadata
from dagster_shared.serdes.objects.models.defs_state_info import DefsStateInfo


def validate_document(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with the document; empty when nothing is."""
    # The schema brings in those of all platforms; only deploying a location needs them.
    from dagster_cloud.workspace.config_schema import validate_workspace_location

    return list(validate_workspace_location(dict(document)) or ())


def deploy_metadata(document: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """The serialized ``CodeLocationDeployData`` of a valid document; ``environment`` is what its code finds set."""
    source = document.get("code_source") or {}
    git, pex, state = document.get("git"), document.get("pex_metadata"), document.get("defs_state_info")
    data = CodeLocationDeployData(
        image=document.get("image"),
        python_file=source.get("python_file"),
        package_name=source.get("package_name"),
        module_name=source.get("module_name"),
        autoload_defs_module_name=source.get("autoload_defs_module_name"),
        working_directory=document.get("working_directory"),
        executable_path=document.get("executable_path"),
        attribute=document.get("attribute"),
        git_metadata=GitMetadata(**git) if git else None,
        container_context=document.get("container_context") or {},
        pex_metadata=PexMetadata(**pex) if pex else None,
        agent_queue=document.get("agent_queue"),
        defs_state_info=DefsStateInfo.model_validate(state) if state else None,
        cloud_context_env=dict(environment),
    )
    return serialize_value(data)
