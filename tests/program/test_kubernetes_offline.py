"""A stack on Kubernetes is reviewed with nobody behind the program: no cluster, no login, no home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hybrid.engine.recording import Program, Recording, StackConfig, record
from stacks.restarts import agent_restarts

pytestmark = pytest.mark.program

ROOT = Path(__file__).resolve().parents[2]
STACK = """config:
  hybrid:organization: acme
  hybrid:agent: {{kind: kubernetes{agent}}}
  hybrid:kubernetes: {{context: prod-cluster, registryLogin: true}}
  hybrid:registry: {{address: r.acme.example/data}}
  hybrid:locations: [hello]
"""


def recorded(agent: str = "") -> Recording:
    return record(Program(ROOT, ROOT, "prod", StackConfig.of_file(STACK.format(agent=agent), None)))


def test_a_change_of_settings_is_told_with_what_restarts_the_agent() -> None:
    old, new = recorded().by_urn(), recorded(", serverTtl: {maxServers: 3}, replicas: 2").by_urn()
    assert set(old) == set(new), "the same resources, and the login's Secret among them without a login"
    assert any(urn.endswith("::ground-registry") for urn in old)
    changed = {urn for urn in new if old[urn].inputs != new[urn].inputs}
    names = {urn.rpartition("::")[2] for urn in changed}
    assert names == {"agent-settings", "agent-deployment", "agent-state", "ready"}
    reasons = [
        reason
        for urn in sorted(changed)
        for reason in agent_restarts(urn, "update", ["spec", "data"], old[urn].inputs, new[urn].inputs)
    ]
    assert reasons == [
        "`user_code_launcher.config.server_ttl.branch_deployments.ttl_seconds` of its dagster.yaml",
        "`user_code_launcher.config.server_ttl.full_deployments.enabled` of its dagster.yaml",
        "`user_code_launcher.config.server_ttl.full_deployments.ttl_seconds` of its dagster.yaml",
        "`user_code_launcher.config.server_ttl.max_servers` of its dagster.yaml",
    ], "more replicas alone are no restart"


def settings_of(more: str) -> dict[str, Any]:
    """The agent's dagster.yaml of the program with ``more`` in the stack file."""
    config = StackConfig.of_file(STACK.format(agent="") + more, None)
    made = record(Program(ROOT, ROOT, "prod", config)).by_urn()
    (found,) = [each for urn, each in made.items() if urn.endswith("::agent-settings")]
    settings: dict[str, Any] = yaml.safe_load(found.inputs["data"]["dagster.yaml"])
    return settings


def test_beside_serverless_the_agent_of_a_cluster_takes_no_work_and_by_queue_only_its_own() -> None:
    beside = settings_of("  hybrid:phase: standby\n")
    assert beside["agent_queues"] == {"include_default_queue": False, "additional_queues": ["hybrid-standby"]}
    assert beside["allowed_full_deployment_locations"] == {"prod": []}, "it would try to load what it cannot"
    by_queue = settings_of("  hybrid:phase: standby\n  hybrid:ownQueue: {name: hybrid}\n")
    assert by_queue["agent_queues"] == {"include_default_queue": False, "additional_queues": ["hybrid"]}
    assert "allowed_full_deployment_locations" not in by_queue, "what is moved to it, it loads"
    assert settings_of("")["agent_queues"]["include_default_queue"], "after the hand-over"
