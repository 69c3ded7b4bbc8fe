"""The typed stack file. Proves what is accepted and how a wrong file is told; not that the program uses the values."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import SettingsError
from stacks import reference
from stacks.settings import from_file, from_pulumi, parse
from stacks.standby import STANDBY_QUEUE, standing_by

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]


def wrong(values: dict[str, object]) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(values, stack="local", source="stacks/Pulumi.local.yaml")
    return str(caught.value)


def test_an_empty_file_means_an_embedded_dagster_plus_with_a_local_agent() -> None:
    settings = parse({}, stack="local", source="x")
    assert settings.embedded, "a newcomer has no organization"
    assert settings.agent.kind == "local", "and no cloud"
    assert settings.environment == "local", "the environment is named by the stack unless the team says otherwise"


def test_a_misspelt_key_is_named_with_its_file() -> None:
    message = wrong({"organisation": "acme"})
    assert "stacks/Pulumi.local.yaml" in message, "the reader must know which file to open"
    assert "hybrid:organisation: there is no such key" in message, "and which key is wrong"


def test_all_wrong_keys_are_told_at_once() -> None:
    message = wrong({"phase": "later", "readiness": {"timeoutSeconds": 1}})
    assert "hybrid:phase" in message, "one round trip must be enough to mend the file"
    assert "hybrid:readiness.timeoutSeconds" in message, "keys are named as the file writes them, in camelCase"


def test_a_platform_that_is_not_built_is_refused_by_name() -> None:
    assert "hybrid:agent" in wrong({"agent": {"kind": "mainframe"}}), "kind decides the platform"


def test_a_value_is_never_repeated_in_the_error() -> None:
    planted = "agent:acme:" + "a" * 32
    assert planted not in wrong({"deployment": planted}), "a token pasted into the wrong key must not be printed"


def test_a_region_without_an_organization_is_refused() -> None:
    assert "organization" in wrong({"region": "eu"}), "the embedded Dagster+ has no region"


def test_an_emulator_beside_an_organization_is_refused() -> None:
    assert "exclude each other" in wrong({"organization": "acme", "emulator": {"port": 4000}})


def test_structured_values_come_from_pulumi_as_json() -> None:
    config = {"hybrid:readiness": json.dumps({"timeoutSeconds": 20}), "aws:region": "eu-west-1"}
    settings = from_pulumi(config, frozenset(), stack="local")
    assert settings.readiness.timeout_seconds == 20, "Pulumi hands structured values over as JSON"


def test_a_secret_among_the_settings_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError, match="is a secret") as caught:
        from_pulumi({"hybrid:organization": "hunter2hunter2"}, frozenset({"hybrid:organization"}), stack="local")
    assert "hunter2" not in str(caught.value), "secrets are not repeated"


def test_the_file_and_pulumi_read_alike(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text("encryptionsalt: v1:x\nconfig:\n  hybrid:emulator:\n    port: 4000\n  aws:region: eu-west-1\n")
    from_yaml = from_file(file, stack="local")
    assert from_yaml == from_pulumi({"hybrid:emulator": '{"port": 4000}'}, frozenset(), stack="local"), (
        "`hybrid status` must ask the Dagster+ that `up` has told"
    )


@pytest.mark.parametrize("text", ["config: [1, 2]", "config: 5", "a: [", "config:\n  hybrid:agent: {secure: v1:x}\n"])
def test_a_file_of_another_shape_is_one_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"Pulumi\.local\.yaml"):
        from_file(file, stack="local")


@given(st.dictionaries(st.text(max_size=12), st.recursive(st.none() | st.integers() | st.text(), st.lists), max_size=4))
def test_any_values_give_settings_or_one_settings_error(values: dict[str, object]) -> None:
    with contextlib.suppress(SettingsError):  # any other exception would reach people as a traceback
        parse(values, stack="local", source="stacks/Pulumi.local.yaml")


def test_the_reference_page_is_what_the_models_say() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == reference.markdown(), "docs/settings.md is made by `make docs`; run it"


PLACE = {"account": "123456789012", "region": "eu-central-1"}
ON_ECS = {"organization": "acme", "agent": {"kind": "ecs"}, "aws": PLACE}


def test_an_agent_on_ecs_needs_an_account_and_a_region_and_no_more() -> None:
    settings = parse(ON_ECS, stack="prod", source="x")
    assert settings.aws is not None
    assert settings.aws.network.kind == "create", "a team without a network gets one"
    assert not settings.embedded


@pytest.mark.parametrize(
    ("aws", "expected"),
    [
        ({"account": 123456789012}, "hybrid:aws.account: it must be text; YAML takes it for something else"),
        ({"account": 12345678901}, "put it in quotes"),
        ({"account": "1234"}, "hybrid:aws.account: it must be an account of AWS: twelve digits"),
        ({"region": "Frankfurt"}, "hybrid:aws.region: it must be a region of AWS, such as eu-central-1"),
        ({"region": "eu-central-1a"}, "hybrid:aws.region: it must be a region"),
        ({"region": None}, "hybrid:aws.region"),
        ({"tags": {"aws:x": "1"}}, "hybrid:aws.tags: tags that begin with `aws:` or `dagster`"),
        ({"tags": {"dagster-hybrid/stack": "x"}}, "hybrid:aws.tags"),
        ({"tags": {str(number): "x" for number in range(31)}}, "give 30 at most"),
        ({"tags": {"cost": 5}}, "hybrid:aws.tags.cost: it must be text"),
        ({"name": "Hybrid_Prod"}, "hybrid:aws.name: it must be a name of lower-case letters"),
        ({"network": {"kind": "mine"}}, "hybrid:aws.network: `kind` is `create`, `ids`, `tags` or `stack`"),
        ({"network": {"nat": "many"}}, "hybrid:aws.network.nat:"),
        ({"network": {"zones": 1}}, "hybrid:aws.network.zones:"),
        ({"network": {"cidr": "ten"}}, "hybrid:aws.network.cidr: it must be a range of addresses"),
        ({"network": {"vpcId": "vpc-12345678"}}, "hybrid:aws.network.vpcId: there is no such key"),
        ({"network": {"kind": "ids", "vpcId": "x"}}, "hybrid:aws.network.vpcId: it must be the id of a VPC"),
        ({"network": {"kind": "ids"}}, "hybrid:aws.network.assignPublicIp: it is needed, and not there"),
        ({"network": {"kind": "tags", "vpcTags": {}}}, "hybrid:aws.network.vpcTags: it must not be empty"),
        ({"network": {"kind": "stack", "stack": ""}}, "hybrid:aws.network.stack: it must not be empty"),
        ({"network": "create"}, "hybrid:aws.network: it must be a mapping"),
        ({"storage": {"keyArn": "alias/x"}}, "hybrid:aws.storage.keyArn: it must be the whole ARN of a KMS key"),
        ({"storage": {"name": "A_b"}}, "hybrid:aws.storage.name: it must be a bucket's name"),
        ({"ci": {"github": "acme/x", "branch": None}}, "hybrid:aws.ci: give a `branch` or an `environment`"),
        (
            {"ci": {"github": "acme/x", "environment": "review"}},
            "hybrid:aws.ci: the environment `review` is of jobs that",
        ),
        ({"ci": {"github": "acme/x", "reviews": True, "reviewRole": "r"}}, "hybrid:aws.ci: give `reviews` or"),
        ({"ci": {"github": "acme/x", "reviewRole": "a/b"}}, "hybrid:aws.ci.reviewRole: it must be the name of a role"),
        ({"ci": {"github": "acme/x", "secretsKeyArn": "alias/x"}}, "hybrid:aws.ci.secretsKeyArn: it must be the whole"),
        ({"alarms": {}}, "hybrid:aws.alarms: give either `topicArn` or `emails`"),
        ({"permissionsBoundary": "x"}, "hybrid:aws.permissionsBoundary: it must be the whole ARN of a managed policy"),
        (
            {"locationRoles": {"hello": {"policies": []}}},
            "hybrid:aws.locationRoles.hello.policies: there is no such key",
        ),
        ({"logRetentionDays": 31}, "hybrid:aws.logRetentionDays:"),
    ],
)
def test_what_is_wrong_with_aws_is_said_with_the_file_s_own_key(aws: dict[str, object], expected: str) -> None:
    message = wrong({**ON_ECS, "aws": {**PLACE, **aws}})
    assert expected in message
    assert "pattern" not in message, "a regular expression is no help"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"aws": None}, "`aws` and an agent of kind `ecs` belong together"),
        ({"agent": {"kind": "local"}}, "`aws` and an agent of kind `ecs` belong together"),
        ({"organization": None}, "name an `organization`"),
        ({"aws": "eu-central-1"}, "hybrid:aws: it must be a mapping"),
        ({"agent": {"kind": "ecs", "survivesReboot": True}}, "hybrid:agent.survivesReboot: there is no such key"),
        ({"agent": {"kind": "ecs", "replicas": 9}}, "hybrid:agent.replicas:"),
        ({"agent": {"kind": "ecs", "cpu": 300}}, "hybrid:agent: Fargate has no task with 300"),
        ({"agent": {"kind": "ecs", "volumes": [{"name": "a"}]}}, "hybrid:agent.volumes[0].mountPath: it is needed"),
        ({"locations": [{"path": 1}]}, "hybrid:locations[0].path: it must be text"),
    ],
)
def test_what_does_not_go_with_an_agent_on_ecs_is_one_error(values: dict[str, object], expected: str) -> None:
    message = wrong({**ON_ECS, **values})
    assert expected in message
    assert message.count("\n  hybrid") == 1, "one fault is told as one"


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", reference.HEAD, re.DOTALL))
def test_the_examples_of_the_reference_page_are_right(tmp_path: Path, example: str) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(example)
    assert from_file(file, stack="prod").organization == "acme", "people begin with a copy of it"


def test_the_reference_page_tells_kinds_apart_and_each_key_once() -> None:
    page = reference.markdown()
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert len(titles) == len(set(titles)), "two tables of one name cannot be told apart"
    for kind in ("create", "ids", "tags", "stack"):
        assert f"## `hybrid:aws.network`, `kind: {kind}`" in titles
    for kind in ("local", "docker", "ecs", "kubernetes", "azure"):
        assert f"## `hybrid:agent`, `kind: {kind}`" in titles
    sizes = [title for title in titles if title.startswith("## `hybrid:agent.serverResources`")]
    assert sizes[-1].endswith("of `kind: kubernetes`"), "one key with other contents in each kind"
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `hybrid:agent.")]
    assert rows.count("hybrid:agent.queues") == 1, "what all kinds have stands with all kinds"
    assert rows.count("hybrid:agent.kind") == 5
    assert "hybrid:aws.locationRoles.<name>.policyArns" in page, "a name of one's own is shown as such"


def test_an_agent_that_stands_by_is_handed_nothing_and_loads_nothing() -> None:
    given = {"kind": "local", "queues": {"additional": ["gpu"]}, "allowedLocations": ["alpha"]}
    found = parse({"phase": "standby", "agent": given}, stack="a", source="f")
    assert found.stands_by
    assert not found.registers("alpha")
    agent = standing_by(found.agent)
    assert agent.queues.include_default is False, "it would take Serverless's requests"
    assert agent.queues.additional == (STANDBY_QUEUE,), "a queue of the team's has locations"
    assert agent.allowed_locations == (), "none, and not all"
    assert found.agent.queues.additional == ("gpu",), "by these the program judges what locations name"
    own = parse({"phase": "standby", "ownQueue": {"name": "hybrid"}, "agent": given}, stack="a", source="f")
    assert not own.stands_by, "on its own queue it need not"


def test_an_own_queue_leaves_the_default_one_to_others() -> None:
    agent = {"kind": "local", "queues": {"additional": ["gpu"]}}
    queues = parse({"ownQueue": {"name": "hybrid"}, "agent": agent}, stack="a", source="f").agent.queues
    assert queues.include_default is False, "beside Serverless the agent would take Serverless's requests"
    assert queues.additional == ("gpu", "hybrid")
    assert parse({}, stack="a", source="f").agent.queues.include_default is True


def test_in_the_phase_prepare_only_what_was_moved_is_registered() -> None:
    own = {"name": "hybrid", "locations": ["alpha"]}
    preparing = parse({"phase": "prepare", "ownQueue": own}, stack="a", source="f")
    assert (preparing.registers("alpha"), preparing.registers("beta")) == (True, False)
    assert not parse({"phase": "prepare"}, stack="a", source="f").registers("alpha")
    assert parse({"ownQueue": own}, stack="a", source="f").registers("beta"), "the phase serve registers all"


@pytest.mark.parametrize("own", [{}, {"name": "a b"}, {"name": "hybrid", "locations": ["a", "a"]}])
def test_a_wrong_own_queue_is_named(own: dict[str, object]) -> None:
    assert "hybrid:ownQueue" in wrong({"ownQueue": own})
