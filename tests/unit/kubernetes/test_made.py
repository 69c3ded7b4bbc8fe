"""What stands in a cluster: what is the stack's, what its launcher made, and what is somebody else's."""

from __future__ import annotations

import pytest
from dagster_cloud.workspace.kubernetes import utils
from dagster_cloud.workspace.user_code_launcher.utils import deterministic_label_for_location

from hybrid.kubernetes import labels
from hybrid.kubernetes.made import made_in, pods_of
from tests.unit.kubernetes.fake_cluster import AGENT, AGENT_ID, NAMESPACE, STACK, STACK_LABEL

pytestmark = pytest.mark.unit

OTHER = "hybrid-other"


def names(things):
    return sorted(getattr(one, "thing", one).name for one in things)


def look(cluster, namespaces=(NAMESPACE,), **more):
    return made_in(cluster, namespaces, AGENT, STACK, **more)


def test_our_names_of_the_launchers_things_are_the_launchers_own():
    assert labels.state_config_map("hello-prod-1") == utils.defs_state_config_map_name("hello-prod-1")
    assert labels.is_state_config_map(utils.defs_state_config_map_name("x"))
    assert labels.location_hash("prod", "hello") == deterministic_label_for_location("prod", "hello")
    assert {labels.MANAGED_BY_LABEL: labels.LAUNCHER} == utils.MANAGED_RESOURCES_LABEL


def test_only_what_bears_the_stacks_label_is_the_stacks(fake, cluster):
    fake.agent()
    fake.agent_pod()
    fake.server("hello-1")
    fake.run()
    fake.server("theirs-1", stack=OTHER, agent="another")
    fake.server("nobodys-1", stack=None, agent="another")
    fake.run("99", stack=OTHER)
    fake.put("deployments", "their-app", labels={})
    found = look(cluster)
    assert found.agent.name == AGENT
    assert names(found.agent_pods) == [f"{AGENT}-1"]
    assert names(found.servers) == names(found.services) == ["hello-1"]
    assert names(found.server_pods) == ["hello-1-1"]
    assert names(found.runs) == ["dagster-run-0f3a2b1c-aaaa"]
    assert names(found.config_maps({AGENT_ID})) == [labels.state_config_map("hello-1")]
    assert found.agent_ids == {AGENT_ID}


def test_in_a_namespace_of_its_own_what_lacks_the_label_counts_too_but_not_another_stacks(fake, cluster):
    fake.server("hello-1", stack=None)
    fake.run("77", stack=None)
    fake.server("theirs-1", stack=OTHER, agent="another")
    found = look(cluster, owns=True)
    assert names(found.servers) == ["hello-1"]
    assert names(found.runs) == ["dagster-run-77"]


def test_a_thing_that_two_questions_find_is_told_once(fake, cluster):
    fake.server("hello-1")
    assert names(look(cluster, owns=True).servers) == ["hello-1"]


def test_what_runs_in_a_namespace_of_a_location_is_found_there(fake, cluster):
    fake.server("hello-1", namespace="team-b")
    fake.server("nobodys-1", namespace="team-b", stack=None, agent="another")
    found = look(cluster, (NAMESPACE, "team-b", NAMESPACE), owns=True)
    assert names(found.servers) == ["hello-1"], "only the first namespace is the stack's own"
    assert [one.namespace for one in found.config_maps(set())] == ["team-b"]


def test_a_config_map_of_an_agent_of_before_is_found_by_the_agents_id_only(fake, cluster):
    fake.state_map("gone-1", agent="of-before")
    fake.state_map("theirs-1", agent="another")
    fake.put("configmaps", "mine", labels={"managed_by": "K8sUserCodeLauncher", "agent_id": "of-before"})
    found = look(cluster)
    assert found.config_maps(set()) == []
    assert names(found.config_maps({"of-before"})) == [labels.state_config_map("gone-1")], "not what has another name"


def test_runs_that_are_over_are_told_apart_and_pods_without_their_owner_are_strays(fake, cluster):
    fake.run("1", over="Complete")
    fake.run("2")
    fake.pod("lost-1", labels={STACK_LABEL: STACK, "managed_by": "K8sUserCodeLauncher", "user-deployment": "lost"})
    found = look(cluster)
    assert names(found.jobs) == ["dagster-run-1", "dagster-run-2"]
    assert names(found.runs) == ["dagster-run-2"]
    assert names(found.strays()) == ["lost-1"]


def test_code_servers_of_other_agents_than_those_that_live_are_orphans(fake, cluster):
    fake.server("hello-1", agent="dead")
    fake.server("world-1", agent="alive")
    assert names(look(cluster).orphans({"alive"})) == ["hello-1"]


def test_pods_of_a_deployment_are_those_of_its_selector(fake, cluster):
    fake.agent()
    fake.agent_pod()
    fake.pod("other", labels={"app": "other"})
    assert names(pods_of(cluster, look(cluster).agent)) == [f"{AGENT}-1"]


def test_a_rollout_is_over_when_all_pods_are_new_and_available_and_none_is_old(fake, cluster):
    fake.agent(replicas=2, ready=2)
    assert look(cluster).agent.is_rolled_out
    for more in ({"observedGeneration": 0}, {"replicas": 3}, {"updatedReplicas": 1}, {"availableReplicas": 1}):
        fake.agent(replicas=2, ready=2, told=more)
        assert not look(cluster).agent.is_rolled_out, f"{more} is not the end of it"
    fake.agent(replicas=0, ready=0)
    assert not look(cluster).agent.is_rolled_out, "scaled away is no agent"
