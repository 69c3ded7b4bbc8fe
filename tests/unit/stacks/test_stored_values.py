"""Where stored values lie by a stack's settings, and what its code is told of it. That an agent hands it on to servers
and runs is the launchers' own; that the IO managers take it, for tests/unit/asset_values."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from asset_values import io_manager
from hybrid.delivery.gate.places import Places
from hybrid.delivery.gate.schema import check_document
from hybrid.delivery.gate.versions import Installed, check_versions
from hybrid.engine.stack import Stack
from hybrid.errors import SettingsError
from hybrid.review.iam import policy_change
from hybrid.workspace import Workspace
from policies.iam import INVERTED, STAR_ACTIONS, STAR_RESOURCES
from policies.subjects import Subject
from stacks.documents import document_of_folder, document_of_image
from stacks.given import given_by
from stacks.identity import StackIdentity
from stacks.served import served_locations
from stacks.settings import parse
from stacks.stored_values import (
    StoredValuesPlace,
    in_process,
    stored_value_variables,
    stored_values_place,
    stored_values_writer,
)
from tests.unit.stacks.test_ecs_program import BASE, PLACE, agents_container, launcher, record

pytestmark = pytest.mark.unit

ECS = {**BASE, "aws": PLACE}
DOCKER = {"agent": {"kind": "docker"}, "registry": {"address": "localhost:5000"}}
CLUSTER = {"organization": "acme", "agent": {"kind": "kubernetes"}, "registry": {"address": "localhost:5000"}} | {
    "kubernetes": {"context": "test"}
}
BLOBS = {"account": "acmevalues", "container": "values"}
OWN_BUCKET = "hybrid-prod-123456789012-eu-central-1"
CHOSEN = "DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE"


def who(settings: dict[str, Any], **values: Any) -> StackIdentity:
    named = {**settings, **({"assetValues": values} if values else {})}
    return StackIdentity.of("prod", parse(named, stack="prod", source="x"), Workspace.of_this_checkout())


def wrong(settings: dict[str, Any], **values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        who(settings, **values)
    return str(caught.value)


def document(who: StackIdentity, **context: Any) -> dict[str, Any]:
    from dataclasses import replace

    (folder,) = served_locations(Workspace.of_this_checkout(), who)
    kind = who.settings.agent.kind
    return document_of_image(who, replace(folder, container_context={kind: context} if context else {}), "image")


def variables(document: dict[str, Any], platform: str) -> dict[str, str]:
    listed = document["container_context"][platform]["env_vars"]
    assert len({entry.partition("=")[0] for entry in listed}) == len(listed), "ECS starts no task with a name twice"
    return {name: value for name, _, value in (entry.partition("=") for entry in listed)}


def test_a_stack_on_ecs_has_its_own_bucket_before_anything_is_turned_on() -> None:
    place = stored_values_place(who(ECS))
    assert place == StoredValuesPlace(OWN_BUCKET, "assets", "eu-central-1")
    assert place.url == f"s3://{OWN_BUCKET}/assets", "what `hybrid assets copy` takes"


@pytest.mark.parametrize(
    ("settings", "values", "url"),
    [
        (ECS, {"prefix": "assets/prod"}, f"s3://{OWN_BUCKET}/assets/prod"),
        (ECS, {"bucket": "another", "prefix": "values"}, "s3://another/values"),
        ({**ECS, "aws": {**PLACE, "storage": {"name": "acme-values"}}}, {}, "s3://acme-values/assets"),
        ({}, {"bucket": "minio-values", "endpoint": "http://127.0.0.1:9000"}, "s3://minio-values/assets"),
        (DOCKER, {"bucket": "another"}, "s3://another/assets"),
        (DOCKER, BLOBS, "abfss://values@acmevalues.dfs.core.windows.net/assets"),
        (CLUSTER, BLOBS, "abfss://values@acmevalues.dfs.core.windows.net/assets"),
        (CLUSTER, {"bucket": "another"}, "s3://another/assets"),
        (CLUSTER, {}, None),
        ({}, {"folder": "/srv/values"}, "/srv/values"),
        ({}, {}, None),
        (DOCKER, {"folder": "/srv/values"}, None),
    ],
)
def test_where_values_go(settings: dict[str, Any], values: dict[str, Any], url: str | None) -> None:
    place = stored_values_place(who(settings, **values))
    assert (place and place.url) == url, "a folder in containers is nothing that this machine reaches"


def test_a_region_of_aws_is_not_said_of_another_store() -> None:
    place = stored_values_place(who(ECS, bucket="mine", endpoint="https://minio.acme.example"))
    assert place is not None
    assert (place.region, place.endpoint) == (None, "https://minio.acme.example")


@pytest.mark.parametrize("settings", [ECS, DOCKER, {}])
def test_nothing_is_told_to_code_unless_it_is_wanted(settings: dict[str, Any]) -> None:
    one = who({**settings, "locations": ["hello"]})
    assert stored_value_variables(one) == {}
    assert in_process(one) == {}
    if one.settings.agent.needs_images:
        assert "env_vars" not in str(document(one)), "no stack that stands has another document"
    assert given_by(one).packages == {}


def test_code_on_ecs_is_told_by_its_own_container_context() -> None:
    told = variables(document(who(ECS, ioManager=True)), "ecs")
    assert told == {
        "DAGSTER_DEFAULT_IO_MANAGER_MODULE": "asset_values.io_manager",
        CHOSEN: "s3_pickle_io_manager",
        "ASSET_VALUES_BUCKET": OWN_BUCKET,
        "ASSET_VALUES_PREFIX": "assets",
        "ASSET_VALUES_REGION": "eu-central-1",
    }


def test_the_names_are_those_that_the_io_managers_read() -> None:
    bucket = stored_value_variables(who({}, ioManager=True, bucket="b-1", region="eu-west-1", endpoint="http://x"))
    assert set(bucket) >= {io_manager.BUCKET, io_manager.PREFIX, io_manager.REGION, io_manager.ENDPOINT}
    folder = stored_value_variables(who({}, ioManager=True, folder="/srv/values"))
    assert folder[io_manager.FOLDER] == "/srv/values"
    for told in (bucket, folder):
        assert told["DAGSTER_DEFAULT_IO_MANAGER_MODULE"] == io_manager.__name__
        assert hasattr(io_manager, told[CHOSEN])


def test_a_branch_deployment_s_code_is_not_told() -> None:
    one = who(ECS, ioManager=True)
    (folder,) = served_locations(Workspace.of_this_checkout(), one)
    assert "ASSET_VALUES" in str(Stack(one, (folder,)).document(folder, image="image"))
    assert "ASSET_VALUES" not in str(Stack(one, (folder,)).document(folder, image="image", full=False)), (
        "what nobody has reviewed would write over production's values"
    )


def test_what_the_location_sets_itself_stays_as_it_is() -> None:
    secret = {"name": "ASSET_VALUES_REGION", "valueFrom": "arn:x"}
    context = {"env_vars": ["STAGE=prod", "ASSET_VALUES_PREFIX=assets/hello", f"{CHOSEN}"], "secrets": [secret]}
    told = variables(document(who(ECS, ioManager=True), **context), "ecs")
    assert told["ASSET_VALUES_PREFIX"] == "assets/hello"
    assert told[CHOSEN] == "", "a name alone is taken from the agent's environment: it is the location's word, too"
    assert "ASSET_VALUES_REGION" not in told, "a secret of that name makes ECS refuse a plain variable beside it"
    assert told["ASSET_VALUES_BUCKET"] == OWN_BUCKET
    assert told["STAGE"] == "prod"


def test_what_the_agent_s_settings_say_to_all_code_stays_as_it_is() -> None:
    settings = {**ECS, "agent": {"kind": "ecs", "environment": {"ASSET_VALUES_PREFIX": "assets/own"}}}
    assert "ASSET_VALUES_PREFIX" not in variables(document(who(settings, ioManager=True)), "ecs")
    local = who(
        {"agent": {"kind": "local", "environment": {"ASSET_VALUES_FOLDER": "/own"}}}, ioManager=True, folder="/srv"
    )
    assert "ASSET_VALUES_FOLDER" not in in_process(local)


def test_preview_says_what_stays_as_it_is() -> None:
    made = record(assetValues={"ioManager": True}, context={"env_vars": ["ASSET_VALUES_PREFIX=assets/hello"]})
    (warning,) = [text for text in made.warnings if "ASSET_VALUES_PREFIX" in text]
    assert warning.startswith("hello: ASSET_VALUES_PREFIX of its own")


def test_neither_dagster_plus_nor_the_launcher_gives_it_to_others() -> None:
    made = record(assetValues={"ioManager": True})
    assert "ASSET_VALUES" not in str(launcher(made)), "the agent's own environment is not where it stands"
    assert "ASSET_VALUES" not in str(agents_container(made)["environment"])
    kinds = [each.inputs for each in made.resources if each.token.endswith(":EnvironmentVariable")]
    assert kinds == [], "Serverless takes Dagster+'s variables, and would read where nothing is yet"


def test_docker_has_it_in_its_context_and_a_local_agent_in_its_environment() -> None:
    one = who({**DOCKER, "locations": ["hello"]}, ioManager=True, folder="/opt/dagster/storage/values")
    assert variables(document(one), "docker")["ASSET_VALUES_FOLDER"] == "/opt/dagster/storage/values"
    local = who({"locations": ["hello"]}, ioManager=True, folder="/srv/values")
    assert in_process(local)["ASSET_VALUES_FOLDER"] == "/srv/values"
    (folder,) = served_locations(Workspace.of_this_checkout(), who({"locations": ["hello"]}))
    assert "ASSET_VALUES" not in str(document_of_folder(local, folder, Path("/x")))


def test_a_location_of_a_local_agent_that_lacks_the_package_is_refused_before_it_loads_and_its_runs_fail() -> None:
    local = who({"locations": ["hello"]}, ioManager=True, folder="/srv/values")
    with pytest.raises(SettingsError, match="do not depend on dagster-asset-values: locations/hello") as refused:
        served_locations(Workspace.of_this_checkout(), local)
    assert "hybrid assets library" in (refused.value.next_step or "")


@pytest.mark.parametrize(("settings", "platform"), [(ECS, "ecs"), ({**DOCKER, "locations": ["hello"]}, "docker")])
def test_the_agent_s_own_schema_takes_the_document(settings: dict[str, Any], platform: str) -> None:
    told = document(who(settings, ioManager=True, bucket="acme-values"))
    assert check_document({"location_name": "hello", **told}, platform, Places()) == []


def test_the_gate_asks_for_the_package_and_says_how_to_get_it() -> None:
    for settings in (ECS, DOCKER):
        (reason,) = given_by(who(settings, ioManager=True, bucket="acme-values")).packages.items()
        assert reason[0] == "dagster-asset-values"
        assert "hybrid assets library" in reason[1]


def test_in_azure_the_gate_asks_for_dagster_azure_too() -> None:
    azure = {
        "organization": "acme",
        "agent": {"kind": "azure"},
        "azure": {"subscription": "00000000-1111-2222-3333-444444444444", "location": "westeurope"},
        "locations": ["hello"],
    }
    asked = given_by(who(azure, ioManager=True)).packages
    assert set(asked) == {"dagster-asset-values", "dagster-azure"}, "the wheel brings dagster-aws alone"
    assert set(given_by(who(azure)).packages) == set(), "code that keeps its own IO managers needs neither"
    packages = {"dagster": "1.13.27", "dagster-cloud": "1.13.27", "dagster-asset-values": "0.1.0"}
    (found,) = check_versions("hello", Installed("its environment", packages), "1.13.27", packages=asked)
    assert found.severity == "error", "it would load, and its runs would fail at their first value"
    assert "dagster-azure is not in its environment" in found.what


@pytest.mark.parametrize(
    ("settings", "values", "word"),
    [
        ({}, {"ioManager": True}, "give `bucket`, `container` or `folder`"),
        (DOCKER, {"ioManager": True}, "give `bucket`, `container` or `folder`"),
        ({"agent": {"kind": "local", "branchDeployments": True}}, {"ioManager": True, "folder": "/x"}, "write over"),
        (ECS, {"prefix": "elsewhere"}, "let `prefix` be `assets` or below it"),
        (ECS, {"prefix": "assets-of-others"}, "let `prefix` be `assets` or below it"),
        (ECS, {"prefix": "assets/"}, "without slashes at its ends"),
        (ECS, {"prefix": "assets/../x"}, "without `..`"),
        ({}, {"bucket": "b-1", "folder": "/x"}, "exclude each other"),
        ({}, {"folder": "relative"}, "folder"),
        ({}, {"account": "acmevalues"}, "belong together"),
        ({}, {**BLOBS, "bucket": "b-1"}, "exclude each other"),
        ({}, {**BLOBS, "folder": "/x"}, "exclude each other"),
        (ECS, BLOBS, "a place of the stack's own"),
        ({}, {"bucket": "Not A Bucket"}, "a bucket's name"),
        ({}, {"bucket": "b-1", "endpoint": "http://user:secret@host"}, "endpoint"),
    ],
)
def test_what_cannot_be_is_refused_in_words(settings: dict[str, Any], values: dict[str, Any], word: str) -> None:
    said = wrong(settings, **values)
    assert word in said
    assert re.search(r"hybrid(:assetValues)?", said)
    assert "secret@" not in said


WRITER = {
    "principal": "arn:aws:iam::210987654321:role/serverless-task",
    "externalId": "acme-copies-its-values",
    "until": "2999-12-31",
}


def test_a_writer_gets_a_role_for_its_part_of_the_bucket_and_without_the_setting_there_is_none() -> None:
    made = record(assetValues={"writer": WRITER, "prefix": "assets/prod"}, aws={})
    role = made.named("stored-values-role")
    assert "serverless-task" in role.inputs["assumeRolePolicy"]
    granted = made.named("stored-values-copy").inputs["policy"]
    assert f"{OWN_BUCKET}/assets/prod/*" in granted
    assert "DeleteObject" not in granted
    assert stored_values_writer(who(ECS, writer=WRITER)) == (role.outputs["arn"], "acme-copies-its-values")
    assert [each.name for each in record().resources if "stored-values" in each.name] == []
    assert stored_values_writer(who(ECS)) is None


def test_a_writer_whose_time_is_over_is_refused_by_the_program_and_not_by_what_only_reads() -> None:
    over = {**WRITER, "until": "2026-01-01"}
    assert stored_values_place(who(ECS, writer=over)) is not None, "`status` and `down` go on working"
    with pytest.raises(SettingsError, match="writer` ended on 2026-01-01") as caught:
        record(assetValues={"writer": over})
    assert "take `writer` out" in str(caught.value)


def test_a_date_is_taken_as_each_reader_of_the_file_has_it() -> None:
    for form in (date(2999, 12, 31), "2999-12-31", "2999-12-31T00:00:00Z"):  # as YAML, JSON and Pulumi have it
        writer = who(ECS, writer={**WRITER, "until": form}).settings.asset_values.writer
        assert writer is not None
        assert writer.until == date(2999, 12, 31)


def test_ci_s_role_for_drift_looks_at_the_writer_s_role_too() -> None:
    ci = {"github": "acme/data", "drift": True}
    with_, without = (record({"ci": ci}, assetValues=values) for values in ({"writer": WRITER}, {}))
    assert "hybrid-prod-stored-values" in with_.named("drift-read").inputs["policy"]
    assert "hybrid-prod-stored-values" not in without.named("drift-read").inputs["policy"]


@pytest.mark.parametrize(
    ("settings", "changed", "word"),
    [
        (ECS, {"principal": "arn:aws:sts::210987654321:assumed-role/serverless/abc"}, "role/serverless"),
        (ECS, {"principal": "arn:aws:iam::210987654321:root"}, "the whole ARN of a role"),
        (ECS, {"principal": "*"}, "the whole ARN of a role"),
        (ECS, {"externalId": "short"}, "externalId"),
        (ECS, {"until": "next year"}, "until"),
        ({}, {}, "the stack's own bucket on ECS"),
    ],
)
def test_a_wrong_writer_is_refused_in_words(settings: dict[str, Any], changed: dict[str, str], word: str) -> None:
    assert word in wrong(settings, writer={**WRITER, **changed})


def test_a_writer_for_another_store_is_refused() -> None:
    assert "the stack's own bucket" in wrong(ECS, writer=WRITER, bucket="another")


def test_the_policy_pack_looks_at_the_writer_s_role_and_passes_it_and_a_review_shows_who_may_do_what() -> None:
    made = record(assetValues={"writer": WRITER})
    role, granted = made.named("stored-values-role"), made.named("stored-values-copy")
    for rule in (STAR_ACTIONS, STAR_RESOURCES, INVERTED):
        subjects = [Subject(each.token, each.name, f"urn::{each.name}", each.inputs) for each in (role, granted)]
        judged = [each for each in subjects if rule.applies_to(each)]
        assert [what for each in judged for what in rule.check(each)] == []
        assert judged, f"{rule.name} looks at it"
    trust = policy_change("role", None, role.inputs["assumeRolePolicy"], unknown="?")
    assert trust is not None
    (entry,) = trust.added
    assert entry.principal == f"AWS {WRITER['principal']}"
    assert "3000-01-01T00:00:00Z" in str(entry.condition), "who reviews sees when it ends"
    shown = policy_change("policy", None, granted.inputs["policy"], unknown="?")
    assert shown is not None
    assert [each.action for each in shown.added] == [
        "s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
    ]  # fmt: skip
