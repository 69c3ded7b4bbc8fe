"""An organization and a repository as an inspection finds them, for tests; each part can be replaced."""

from __future__ import annotations

from typing import Any

from hybrid.switch.organization import (
    FoundAgent,
    FoundBackfill,
    FoundBranch,
    FoundDeployment,
    FoundInstigator,
    FoundLocation,
    FoundPolicy,
    FoundRights,
    FoundRun,
    FoundServerless,
    FoundVariable,
    OrganizationState,
)
from hybrid.switch.repository import (
    FolderAssets,
    FolderLocation,
    FoundBaseImage,
    RepositoryState,
    ServerlessWorkflow,
    Spot,
)

REGISTRY = "111122223333.dkr.ecr.us-west-2.amazonaws.com/serverless"
PEX = {"location_name": "quick", "pex_metadata": {"pex_tag": "deps-a.pex:source-b.pex", "python_version": "3.11"}}
DOCKER = {"location_name": "docker", "image": f"{REGISTRY}:prod-docker-abc"}


def location(name: str, document: dict[str, Any], **changes: Any) -> FoundLocation:
    values = {"status": "LOADED", "error": None, "assets": 2, "has_own_io_manager": False}
    return FoundLocation(name, document, **(values | changes))


def instigator(name: str, *, is_on: bool = True, kind: str = "schedule") -> FoundInstigator:
    return FoundInstigator("quick", "__repository__", name, kind, is_on, on_by_default=False, was_set=is_on)


def rights(**changes: Any) -> FoundRights:
    values = dict.fromkeys(("may_switch", "may_edit_locations", "may_launch_runs", "may_see_variables"), True)
    return FoundRights(is_agent_token=False, **(values | changes))


def organization(**changes: Any) -> OrganizationState:
    prod = FoundDeployment("prod", "PRODUCTION", "SERVERLESS")
    values: dict[str, Any] = {
        "organization": "acme",
        "url": "https://acme.dagster.cloud",
        "deployment": prod,
        "plan": "ENTERPRISE",
        "deployments": [prod, FoundDeployment("dev", "DEV", "HYBRID")],
        "branches": [FoundBranch("b1", "feature", "SERVERLESS", "OPEN")],
        "agents": [FoundAgent("Serverless", "RUNNING", "ServerlessLauncher", "1.13.27", 1763722800.0)],
        "serverless": FoundServerless("ACTIVE", REGISTRY, allows_base_images=True, error=None),
        "locations": [location("docker", DOCKER), location("quick", PEX)],
        "instigators": [instigator("nightly"), instigator("watch", kind="sensor", is_on=False)],
        "variables": [FoundVariable("STRIPE_KEY", ["full deployments"], []), FoundVariable("A", ["local"], ["quick"])],
        "automates_assets": False,
        "backfills": [FoundBackfill("bf-1", "raw", 3)],
        "runs": [FoundRun("run-1", "quick_job", "STARTED", "quick", is_isolated=False)],
        "non_isolated_runs": True,
        "recent_non_isolated": [FoundRun("run-0", "quick_job", "SUCCESS", "quick", is_isolated=False)],
        "settings": {"run_queue": {"max_concurrent_runs": 10}, "non_isolated_runs": {"enabled": True}},
        "policies": [FoundPolicy("agent-away", ["AGENT_UNAVAILABLE"], enabled=True)],
        "rights": rights(),
        "unanswered": {},
    }
    return OrganizationState(**(values | changes))


def folder(name: str, **changes: Any) -> FolderLocation:
    values: dict[str, Any] = {
        "folder": name,
        "file": "dagster_cloud.yaml",
        "line": 2,
        "source_kind": "module_name",
        "source_name": f"{name}.definitions",
        "is_legacy": True,
        "requirements": [f"{name}/requirements.txt"],
        "names_dagster_cloud": True,
    }
    return FolderLocation(name, **(values | changes))


def repository(**changes: Any) -> RepositoryState:
    values: dict[str, Any] = {
        "commit": "a" * 40,
        "files": 12,
        "locations": [
            folder("docker", pre_hook="docker/dagster_cloud_pre_install.sh"),
            folder("quick", executable_path="/venvs/a/bin/python"),
        ],
        "workflows": [ServerlessWorkflow(".github/workflows/deploy.yml", "github", [12, 30], ["pex"])],
        "base_images": [FoundBaseImage(".github/workflows/deploy.yml", 31, "acme/base:1", is_tag=False)],
        "variables": [Spot("quick/a.py", 3, "DAGSTER_CLOUD_SERVERLESS_REGION")],
        "libraries": [],
        "isolation": [Spot("quick/a.py", 9)],
        "assets": [FolderAssets("quick", 2, 1, 0, "default", Spot("quick/a.py", 5, "raw"))],
        "unread": [],
        "legacy_files": ["dagster_cloud.yaml"],
    }
    return RepositoryState(**(values | changes))
