"""What an agent sends with every request, for the parts of Dagster+'s API that are no GraphQL."""

from __future__ import annotations

import importlib.metadata
import platform

from hybrid.redaction import Token


def agent_headers(token: Token, deployment: str) -> dict[str, str]:
    """The headers of an agent's request about one deployment, with its token in them: never to be shown.

    As ``get_dagster_cloud_api_headers`` (dagster_cloud_cli/core/headers/impl.py) makes them for the installed agent.
    """
    return {
        "Dagster-Cloud-Api-Token": token.reveal(),
        "Dagster-Cloud-Version": importlib.metadata.version("dagster-cloud-cli"),
        "Python-Version": platform.python_version(),
        "Dagster-Cloud-Scope": "deployment",
        "Dagster-Cloud-Deployment": deployment,
    }
