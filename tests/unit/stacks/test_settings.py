"""The typed stack file. Proves what is accepted and how a wrong file is told; not that the program uses the values."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import SettingsError
from stacks import reference
from stacks.settings import from_file, from_pulumi, parse

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
