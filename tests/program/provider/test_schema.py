"""The provider's schema, as Pulumi itself reads it."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.program


def test_the_schema_is_whole_for_pulumi_itself(project):
    from hybrid.workspace import Workspace

    plugin = Workspace.of_this_checkout().root / "hybrid" / "provider" / "plugin" / "pulumi-resource-dagsterhybrid"
    schema = json.loads(project.pulumi("package", "get-schema", str(plugin)))

    assert {token.rpartition(":")[2] for token in schema["resources"]} == {
        "AgentDrain", "AgentReady", "AgentToken", "AlertPolicy", "AzureDrain", "AzureLaunchCheck", "BuildFile",
        "CodeLocation",
        "ContainerState", "ContainerSweep", "DeploymentSettings", "EcsDrain", "EcsLaunchCheck", "EcsServiceState",
        "EnvironmentVariable",
        "KubernetesAgentState", "KubernetesDrain", "KubernetesLaunchCheck", "LocationCheck", "LocationImage", "Process",
        "PublishedImage", "VirtualEnvironment",
    }  # fmt: skip
    variable = schema["resources"]["dagsterhybrid:index:EnvironmentVariable"]
    assert variable["inputProperties"]["value"]["secret"] is True
    assert [each["value"] for each in schema["types"]["dagsterhybrid:index:AgentType"]["enum"]] == [
        "HYBRID",
        "SERVERLESS",
    ]
