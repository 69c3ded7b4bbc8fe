"""What a change restarts the agent for, as a preview can say it."""

from __future__ import annotations

import json

import pytest

from agent.ecs_restarts import restart_reasons, settings_reasons

pytestmark = pytest.mark.unit


def inputs(settings="a: 1\n", **more):
    environment = [
        {"name": "HYBRID_DAGSTER_YAML", "value": settings},
        {"name": "STAGE", "value": more.pop("stage", "x")},
    ]
    if "generation" in more:
        environment.append({"name": "HYBRID_GENERATION", "value": more.pop("generation")})
    container = {"name": "agent", "image": more.pop("image", "a:1"), "environment": environment}
    return {"cpu": "256", "containerDefinitions": json.dumps([container]), "__defaults": [], **more}


def test_the_same_task_definition_is_no_restart():
    assert restart_reasons(inputs(), inputs()) == ()
    assert restart_reasons(inputs(), {**inputs(), "__defaults": ["x"]}) == ()


def test_the_first_and_the_last_one_are_no_restart():
    assert restart_reasons(None, inputs()) == ()
    assert restart_reasons(inputs(), None) == ()


def test_the_order_of_keys_in_the_text_is_no_restart_by_itself():
    old = inputs()
    new = {**old, "containerDefinitions": json.dumps(json.loads(old["containerDefinitions"]), indent=1)}
    assert restart_reasons(old, new) == ()


def test_each_reason_names_what_changed_and_no_value():
    old = inputs("launcher:\n  cluster: a\n  tags: [x]\n", stage="swordfish-1")
    new = inputs("launcher:\n  cluster: a\n  tags: [y]\n", stage="swordfish-2", image="a:2", cpu="512", generation="1")
    reasons = restart_reasons(old, new)
    assert reasons == (
        "`cpu` of its task",
        "`image` of its container",
        "a restart or a new token",
        "the variable STAGE",
        "`launcher.tags` of its dagster.yaml",
    )
    assert "swordfish" not in repr(reasons)


def test_a_text_that_only_the_update_knows_is_said_to_be_so():
    (reason,) = restart_reasons(inputs(), {**inputs(), "containerDefinitions": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"})
    assert "only the update itself knows" in reason


def test_what_ecs_gives_back_with_its_defaults_is_no_reason():
    """A refresh takes a definition as AWS keeps it: with every key that it has a default for."""
    old, new = inputs(), inputs("a: 2\n")
    (container,) = json.loads(old["containerDefinitions"])
    container |= {"cpu": 0, "portMappings": [], "volumesFrom": [], "linuxParameters": {"capabilities": {"add": []}}}
    assert restart_reasons({**old, "containerDefinitions": json.dumps([container])}, new) == (
        "`a` of its dagster.yaml",
    )


def test_settings_that_are_no_yaml_yet_are_named_as_a_whole():
    assert settings_reasons("a: 1", "a: [") == ["its dagster.yaml"]
    assert settings_reasons("a: 1", "text") == ["its dagster.yaml", "`a` of its dagster.yaml"]
