"""The file that says which resources a stack has: nothing secret gets in, and a stranger's is not believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hybrid.engine.exported_state import LARGEST_BYTES, ExportedState
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

PLANTED = "swordfish" + "-of-a-test"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": f"v1:{PLANTED}"}


def resource(type_: str, name: str, **more: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:prod::hybrid::{type_}::{name}"
    values = {"id": PLANTED, "inputs": {"password": PLANTED, "token": SECRET}, "outputs": {"key": PLANTED}}
    return {"urn": urn, "type": type_.split("$")[-1], "custom": True, **values, **more}


EXPORTED = {
    "version": 3,
    "deployment": {
        "secrets_providers": {"type": "passphrase", "state": {"salt": PLANTED}},
        "resources": [
            resource("pulumi:pulumi:Stack", "hybrid-prod", custom=False),
            resource("pulumi:providers:aws", "aws"),
            resource("dagsterhybrid:infra:Bucket", "storage", custom=False),
            resource("dagsterhybrid:infra:Bucket$aws:s3/bucket:Bucket", "storage-bucket", retainOnDelete=True),
            resource("aws:ecs/service:Service", "replaced", delete=True),
            resource("aws:ec2/vpc:Vpc", "looked-at", external=True),
            resource("dagsterhybrid:index:CodeLocation", "hello-location"),
        ],
    },
}


def test_names_and_types_are_all_that_gets_in() -> None:
    text = ExportedState.of("prod", EXPORTED).text()
    assert PLANTED not in text, "no id, no input, no output, no key, and not even a ciphertext"
    assert set(json.loads(text)) == {"version", "stack", "exported_at", "resources"}
    assert {key for each in json.loads(text)["resources"] for key in each} == {"urn", "retained"}


def test_only_what_stands_by_itself_is_told() -> None:
    standing = ExportedState.of("prod", EXPORTED).standing.resources
    assert {urn.rpartition("::")[2]: kept for urn, kept in standing.items()} == {
        "storage-bucket": True,
        "hello-location": False,
    }, "frames, providers, what is only read and what is on its way out are nothing that would be deleted"


def test_a_token_in_a_name_is_masked() -> None:
    token = "agent:acme:" + "0f" * 12
    exported = {"deployment": {"resources": [resource("aws:s3/bucket:Bucket", token)]}}
    assert token not in ExportedState.of("prod", exported).text()


def test_a_stack_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "prod.json").write_text(ExportedState.of("prod", None).text())
    assert ExportedState.read(tmp_path, "prod").resources == ()


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    state = ExportedState.of("prod", EXPORTED)
    (tmp_path / "prod.json").write_text(state.text())
    assert ExportedState.read(tmp_path, "prod") == state


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the document"),
        ("[" * 5000, "the document"),
        ("{}", "stack"),
        ('{"stack": "prod", "exported_at": "x", "resources": [{"urn": "x"}]}', "resources.0.urn"),
        ('{"stack": "prod", "exported_at": "x", "deployment": {}}', "deployment"),
        ('{"stack": "other", "exported_at": "x"}', "another stack"),
        ('{"stack": "prod", "exported_at": "x", "resources": [{"urn": "urn:pulumi:o::h::t::n"}]}', "another stack"),
        (" " * (LARGEST_BYTES + 1), "more than 8 MB"),
    ],
    ids=["empty", "deep", "no fields", "no urn", "a whole export", "other stack", "other urns", "large"],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "prod.json").write_text(text)
    with pytest.raises(SettingsError) as refused:
        ExportedState.read(tmp_path, "prod")
    assert why in (refused.value.why or ""), "the reader wants to know what is wrong with it"
    assert refused.value.next_step


@pytest.mark.parametrize("name", ["../prod", "prod/x", ""])
def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a stack's name"):
        ExportedState.read(tmp_path / "in", name)
