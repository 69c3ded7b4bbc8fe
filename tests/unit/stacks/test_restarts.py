"""What of a change starts the agent anew. Steps have the shape that Pulumi's engine gives them; that it does give them
so is shown by tests/program/test_restart_marks.py (ECS) and tests/emulated/test_restart_marks.py (local)."""

from __future__ import annotations

import json

import pytest

from stacks.restarts import FOLLOWS, agent_restarts

pytestmark = pytest.mark.unit

PLANTED = "swordfish-of-a-test"
TASK = "EcsAgent$aws:ecs/taskDefinition:TaskDefinition::agent-task"
SERVICE = "EcsAgent$aws:ecs/service:Service::agent-service"
CONTAINER = "DockerAgent$docker:index/container:Container::agent-container"
PROCESS = "LocalAgent$dagsterhybrid:index:Process::agent-process"
REPLACED = "create-replacement"


def reasons(which, operation, changed, old, new):
    urn = f"urn:pulumi:prod::hybrid::dagsterhybrid:agent:{which}"
    found = agent_restarts(urn, operation, changed, old, new)
    assert PLANTED not in repr(found), "a reason names what changed, and shows no value"
    return found


def task(settings="a: 1", **more):
    environment = [{"name": "HYBRID_DAGSTER_YAML", "value": settings}, {"name": "STAGE", "value": PLANTED}]
    return {"cpu": "256", "containerDefinitions": json.dumps([{"name": "agent", "environment": environment}]), **more}


def container(settings="a: 1", stage="x", **more):
    uploads = [
        {"file": "/opt/dagster/home/dagster.yaml", "content": settings},
        {"file": "/run/secrets/dagster-agent-token", "content": "[secret]"},
    ]
    return {"envs": ["HOME=/x", f"STAGE={stage}"], "uploads": uploads, "image": "sha256:1", **more}


def process(settings="a: 1", **more):
    return {"environment": {"STAGE": "x"}, "files": {"dagster.yaml": settings}, "secretEnvironment": "[secret]", **more}


def test_a_replaced_task_definition_restarts_the_agent_with_its_reasons():
    changed = ["containerDefinitions", "cpu"]
    found = reasons(TASK, REPLACED, changed, task(), task("a: 2", cpu="512"))
    assert found == ("`cpu` of its task", "`a` of its dagster.yaml")


def test_a_task_definition_that_is_only_tagged_anew_makes_no_other_revision():
    assert reasons(TASK, "update", ["tagsAll"], task(), task(tags={"x": "y"})) == ()


def test_a_replacement_is_never_unmarked_when_both_texts_are_hidden():
    hidden = {"containerDefinitions": "[secret]"}
    assert reasons(TASK, REPLACED, ["containerDefinitions"], hidden, dict(hidden)) == (
        "`containerDefinitions` of its task",
    )


@pytest.mark.parametrize(
    ("operation", "changed", "expected"),
    [
        ("update", ["networkConfiguration"], ("`networkConfiguration` of its service",)),
        ("update", ["taskDefinition"], (FOLLOWS,)),
        ("update", ["desiredCount", "tagsAll", "deploymentMaximumPercent"], ()),
        (REPLACED, ["cluster"], ("`cluster` of its service",)),
    ],
)
def test_a_service_restarts_the_agent_when_ecs_deploys_it_anew(operation, changed, expected):
    assert reasons(SERVICE, operation, changed, {}, {}) == expected


@pytest.mark.parametrize(
    ("changed", "new", "expected"),
    [
        (["image"], container(image="sha256:2"), ("`image` of its container",)),
        (["envs"], container(stage=PLANTED), ("the variable STAGE",)),
        (["uploads", "labels"], container("a: 2"), ("`a` of its dagster.yaml",)),
        (["uploads"], container(), ("a new token",)),
    ],
)
def test_a_docker_agent_is_another_when_its_container_is(changed, new, expected):
    assert reasons(CONTAINER, REPLACED, changed, container(), new) == expected
    assert reasons(CONTAINER, "update", changed, container(), new) == (), "docker changed it while it ran"


@pytest.mark.parametrize(
    ("changed", "new", "expected"),
    [
        (["files"], process("a: 1\nb: {c: 1}"), ("`b.c` of its dagster.yaml",)),
        (["environment"], process(environment={"STAGE": PLANTED}), ("the variable STAGE",)),
        (["secretEnvironment"], process(), ("a new token",)),
        (["command"], process(command=["x"]), ("`command` of its process",)),
        (["removeOnDelete", "readinessUrl", "pid"], process(), ()),
    ],
)
def test_a_local_agent_is_restarted_by_what_its_supervisor_does_not_take_over(changed, new, expected):
    assert reasons(PROCESS, "update", changed, process(), new) == expected


@pytest.mark.parametrize("operation", ["same", "refresh", "create", "delete", "delete-replaced", "read", "replace"])
def test_other_steps_restart_nothing(operation):
    assert reasons(TASK, operation, ["cpu"], task(), task(cpu="512")) == ()


@pytest.mark.parametrize(("old", "new"), [(None, task()), (task(), None)])
def test_the_first_agent_and_the_last_are_no_restart(old, new):
    assert reasons(TASK, REPLACED, [], old, new) == ()


@pytest.mark.parametrize("urn", ["", "x", "urn:pulumi:a::b::aws:ecs/service:Service::mine", PROCESS])
def test_what_is_no_agent_s_is_not_looked_at(urn):
    assert agent_restarts(urn, REPLACED, ["cluster"], {}, {}) == (), "a team's own service beside the agent"


def test_the_emulator_s_process_is_no_agent():
    urn = "urn:pulumi:local::hybrid::dagsterhybrid:index:Process::emulator"
    assert agent_restarts(urn, "update", ["files"], process(), process("b: 1")) == ()


APP = "AzureAgent$azure-native:app:ContainerApp::agent-app"


def app(settings="a: 1", image="x:1", generation=None, **more):
    env = [{"name": "HYBRID_DAGSTER_YAML", "value": settings}, {"name": "STAGE", "value": PLANTED}]
    env += [{"name": "HYBRID_GENERATION", "value": generation}] if generation else []
    return {"template": {"containers": [{"image": image, "env": env}]}, **more}


def test_another_template_of_an_app_in_azure_is_another_revision_with_its_reasons():
    found = reasons(APP, "update", ["template"], app(), app("a: 2", "x:2", generation="token 2"))
    assert found == ("`image` of its container", "a restart or a new token", "`a` of its dagster.yaml")


def test_what_is_beside_the_template_starts_no_agent_in_azure():
    assert reasons(APP, "update", ["configuration", "tags"], app(), app(tags={"x": "y"})) == ()
    assert reasons(APP, REPLACED, ["location"], app(), app()) == ("`location` of its app",)


def test_a_template_that_is_not_known_yet_is_marked_all_the_same():
    assert reasons(APP, "update", ["template"], {"template": "?"}, {"template": "?"}) == ("its template",)
