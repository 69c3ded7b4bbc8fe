"""The names by which code and workflows show that they count on Serverless, each with where it is known from."""

from __future__ import annotations

import re
from typing import Final

VARIABLES: Final = {
    "DAGSTER_CLOUD_SERVERLESS_REGION": "the region of Serverless's storage",
    "DAGSTER_CLOUD_SERVERLESS_STORAGE_S3_BUCKET": "the bucket of Serverless's storage",
    "DAGSTER_CLOUD_SERVERLESS_STORAGE_S3_PREFIX": "the prefix in the bucket of Serverless's storage",
    "SERVERLESS_IO_MANAGER_USE_PRESIGNED_URL": "how Serverless's IO manager reaches its storage",
    "DAGSTER_DEFAULT_IO_MANAGER_MODULE": "the default IO manager, which Serverless sets to its own",
    "DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE": "the default IO manager, which Serverless sets to its own",
    "S3_PEX_DISABLED": "how Serverless brings Python executables",
    "LOCAL_PEX_FILES_DIR": "where Serverless lays Python executables",
    "VENVS_ROOT": "where Serverless unpacks Python executables",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "AWS credentials of Serverless's own role",
}
"""Environment variables that Serverless sets for code, and what they say there. Read in dagster_cloud 1.13.27
(serverless/io_manager.py, pex/grpc/server) and dagster's job_definition.py (``default_job_io_manager``)."""

ON_ECS_TOO: Final = frozenset({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"})
"""Set by Amazon ECS itself, so a Hybrid agent's tasks there have it too, of their own task role."""

VARIABLE: Final = re.compile(r"\b(?:DAGSTER_CLOUD_SERVERLESS_[A-Z0-9_]+|" + "|".join(VARIABLES) + r")\b")
"""Also names that a later Serverless may add under its own prefix."""

LIBRARY: Final = "dagster_cloud.serverless"

WORKFLOW_SIGNS: Final = (
    (re.compile(r"dagster-cloud-action/actions/serverless_\w+"), "docker"),
    (re.compile(r"actions/(?:build_deploy_pex|build_deploy_python_executable|deploy_pex_from_docker)\b"), "pex"),
    (re.compile(r"\bdagster-cloud\s+serverless\s+deploy-python-executable\b"), "pex"),
    (re.compile(r"\bdagster-cloud\s+serverless\s+(?:deploy-docker|build|upload)\b"), "docker"),
    (re.compile(r"\bdagster-cloud\s+serverless\b"), ""),
    (re.compile(r"--agent-type[= ]+[\"']?serverless\b", re.I), ""),
    (re.compile(r"--build-strategy[= ]+[\"']?python-executable\b"), "pex"),
    (re.compile(r"\bdeploy configure serverless\b"), ""),
    (re.compile(r"dagster-cloud-action/\S*gitlab/\S*serverless-\S*ci\S*\.ya?ml"), ""),
    (re.compile(r"/gitlab_action/deploy\.py\b"), ""),
    (re.compile(r"\bci\s+build\b.*--build-strategy[= ]+[\"']?docker\b"), "docker"),
)
"""What a line of a workflow says when it deploys to Serverless, and how it builds; the first that matches counts. From
github.com/dagster-io/dagster-cloud-action (actions, github/serverless, gitlab) and the templates and commands of
dagster-dg-cli and dagster-cloud-cli 1.13.27."""

FAST_DEPLOYS: Final = re.compile(r"\b(?P<name>ENABLE_FAST_DEPLOYS|DISABLE_FAST_DEPLOYS)\s*[:=]\s*[\"']?(?P<value>\w*)")
"""Whether locations are built as Python executables (dagster-cloud-action: actions/utils/prerun, gitlab)."""

BASE_IMAGE: Final = re.compile(
    r"(?:\b(?P<variable>SERVERLESS_BASE_IMAGE(?:_TAG)?|base_image(?:_tag)?)\s*[:=]\s*"
    r"|(?P<option>--base-image(?:-tag)?)[= ]+)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s#\"'$]*\$\{\{[^}]*\}\}[^\s#\"']*|[^\s#\"']+)"
)
"""A base image of the team's own: of Python executables by variables or ``--base-image-tag``, of images by the actions'
``base_image`` (dagster_cloud_cli/core/pex_builder/deploy.py, commands/serverless)."""

PRE_HOOK: Final = "dagster_cloud_pre_install.sh"
POST_HOOK: Final = "dagster_cloud_post_install.sh"
"""Run by Serverless's own Dockerfile alone (dagster_cloud_cli/commands/serverless/Dockerfile)."""
