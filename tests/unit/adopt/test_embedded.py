"""Finding an agent's dagster.yaml in its task definition. That the official template writes it in the first of these
forms is documented; that nobody writes it in a further one is not proven."""

from __future__ import annotations

import base64
import json

import pytest

from hybrid.adopt.embedded import embedded
from hybrid.redaction import redact
from tests.unit.adopt.estate import TOKEN, block, dagster_yaml, official_command

pytestmark = pytest.mark.unit

CONFIG = {"cluster": "c", "subnets": ["subnet-1"], "env_vars": ['A=it\'s "quoted"']}
DOCUMENT = dagster_yaml(launcher={"cluster": "c", "subnets": ["subnet-1"]})


@pytest.mark.parametrize(
    "container",
    [
        {"entryPoint": ["bash", "-c"], "command": official_command(DOCUMENT)},
        {
            "command": [
                "sh",
                "-c",
                f"cat > $DAGSTER_HOME/dagster.yaml <<'EOF'\n{block(DOCUMENT)}\nEOF\ndagster-cloud agent run",
            ]
        },
        {"command": ["sh", "-c", f"echo {base64.b64encode(DOCUMENT.encode()).decode()} | base64 -d > dagster.yaml"]},
        {"command": ["sh", "-c", f"echo {json.dumps(block(DOCUMENT))} > dagster.yaml"]},
        {"environment": [{"name": "DAGSTER_YAML", "value": block(DOCUMENT)}], "command": ["start"]},
    ],
    ids=["the official template", "here-document", "base64", "double quotes", "variable"],
)
def test_the_settings_are_found_however_the_container_gets_them(container):
    found = embedded(container)
    assert found is not None, "what the agent reads is in the task definition"
    assert found.document["user_code_launcher"]["config"] == {"cluster": "c", "subnets": ["subnet-1"]}
    assert found.plain_token, "the token stands there for everybody who may read task definitions"


def test_a_token_in_plain_text_is_noticed_and_goes_no_further():
    found = embedded({"command": official_command(DOCUMENT)})
    assert TOKEN not in repr(found), "what is not handed on cannot be written or printed"
    assert TOKEN not in redact(f"x {TOKEN} y")


def test_a_token_of_no_known_shape_is_kept_from_output_too():
    secret = "-".join(["a", "word", "that", "nothing", "tells"])
    assert secret in redact(secret), "nothing but its place tells that it is one"
    embedded({"command": official_command(dagster_yaml(api={"agent_token": secret}))})
    assert secret not in redact(f"log: {secret}")


def test_a_token_from_the_environment_is_none_in_plain_text():
    found = embedded(
        {"command": official_command(dagster_yaml(api={"agent_token": {"env": "DAGSTER_CLOUD_AGENT_TOKEN"}}))}
    )
    assert found is not None
    assert not found.plain_token


def test_values_that_come_from_the_containers_variables_are_looked_up():
    document = dagster_yaml(
        launcher={"cluster": {"env": "CLUSTER"}, "log_group": "$GROUP", "subnets": ["${SUBNET}", "$NONE"]}
    )
    variables = [{"name": name, "value": name.lower()} for name in ("CLUSTER", "GROUP", "SUBNET")]
    found = embedded({"command": official_command(document), "environment": variables})
    config = found.document["user_code_launcher"]["config"]
    assert config == {"cluster": "cluster", "log_group": "group", "subnets": ["subnet", "$NONE"]}


@pytest.mark.parametrize(
    "container",
    [{}, {"command": ["dagster-cloud agent run"]}, {"command": ["echo 'user_code_launcher: [' > dagster.yaml"]}],
)
def test_a_container_without_them_has_none(container):
    assert embedded(container) is None
