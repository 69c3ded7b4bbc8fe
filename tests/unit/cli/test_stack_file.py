"""Single settings in a stack file: what is changed, and that nothing else of a person's file moves. Pins, which have
names of people's, are tested with their command (test_locations_pins.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hybrid.delivery.stack_file import StackFile, with_value, without_value
from hybrid.errors import SettingsError, UsageError

pytestmark = pytest.mark.unit

REPLICAS = ("config", "hybrid:agent", "replicas")
FILES = {
    "block": "config:\n  hybrid:agent:  # ours\n    kind: ecs\n    # why two\n    replicas: 2  # since May\n    x: y\n",
    "flow": "config: {hybrid:agent: {kind: ecs, replicas: 2}}\n",
    "inner flow": "config:\n  hybrid:agent: {kind: ecs, replicas: 2}  # end\n  other: 1\n",
    "quoted": "config:\n  'hybrid:agent':\n    'replicas': 2\n",
    "windows": "config:\r\n  hybrid:agent:\r\n    replicas: 2\r\n  x: y\r\n",
    "empty value": "config:\n  hybrid:agent:\n    kind: ecs\n    replicas:  # to come\n  x: y\n",
    "absent": "# top\nconfig:\n  hybrid:agent:\n    kind: ecs\n\n  x: y\n",
    "no agent": "config:\n  x: y\n",
    "no config": "secretsprovider: default\n",
    "nothing": "",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_setting_is_set_and_taken_out_again_and_nothing_else_moves(text: str) -> None:
    changed = with_value(text, REPLICAS, 3, "x")
    before, after = yaml.safe_load(text) or {}, yaml.safe_load(changed)
    assert after["config"]["hybrid:agent"]["replicas"] == 3
    agent = (before.get("config") or {}).get("hybrid:agent") or {}
    assert {**agent, "replicas": 3} == after["config"]["hybrid:agent"], "the agent's other settings stay"
    for comment in ("# ours", "# why two", "# since May", "# top", "# end", "# to come"):
        assert (comment in text) == (comment in changed), "comments are a person's"
    assert with_value(changed, REPLICAS, 3, "x") == changed, "a second time there is nothing to do"
    taken = yaml.safe_load(without_value(changed, REPLICAS, "x")) or {}
    kept = {name: value for name, value in agent.items() if name != "replicas"}
    assert ((taken.get("config") or {}).get("hybrid:agent") or {}) == kept


def test_only_the_value_s_own_bytes_change() -> None:
    assert with_value(FILES["block"], REPLICAS, 3, "x") == FILES["block"].replace("replicas: 2", "replicas: 3")


@given(st.integers(0, 1000), st.sampled_from(sorted(FILES)))
def test_any_number_is_read_back_as_a_number(value: int, name: str) -> None:
    found = yaml.safe_load(with_value(FILES[name], REPLICAS, value, "x"))["config"]["hybrid:agent"]["replicas"]
    assert (type(found), found) == (int, value)


@pytest.mark.parametrize("image", ["public.ecr.aws/dagster/agent:1.13.28", "acme/x@sha256:" + "a" * 64, "true", "1e3"])
def test_a_text_stays_a_text(image: str) -> None:
    for text in FILES.values():
        changed = with_value(text, ("config", "hybrid:agent", "image"), image, "x")
        assert yaml.safe_load(changed)["config"]["hybrid:agent"]["image"] == image
        again = with_value(changed, ("config", "hybrid:agent", "image"), "other:1", "x")
        assert yaml.safe_load(again)["config"]["hybrid:agent"]["image"] == "other:1"


def test_true_is_not_taken_for_the_number_one() -> None:
    changed = with_value("config:\n  hybrid:agent: {replicas: true}\n", REPLICAS, 1, "x")
    assert yaml.safe_load(changed)["config"]["hybrid:agent"]["replicas"] is not True


@pytest.mark.parametrize(
    "text",
    ["config:\n  hybrid:agent: &a\n    kind: ecs\n  other: *a\n", "config:\n  hybrid:agent: ecs\n", "config: [1]\n"],
    ids=["shared", "no mapping", "no config"],
)
def test_what_cannot_be_changed_in_place_is_refused_with_the_file_s_name(text: str) -> None:
    with pytest.raises(SettingsError, match=r"stacks/Pulumi\.x\.yaml"):
        with_value(text, REPLICAS, 2, "stacks/Pulumi.x.yaml")


def test_a_value_cannot_bring_lines_of_its_own() -> None:
    with pytest.raises(UsageError):
        with_value("config: {}\n", ("config", "hybrid:agent", "image"), "x\n  evil: 1", "x")


def test_a_file_says_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "stacks" / "Pulumi.prod.yaml"
    path.parent.mkdir()
    path.write_text(FILES["block"])
    assert StackFile(path).setting("hybrid:agent", "replicas") == 2
    assert StackFile(path).setting("hybrid:agent", "nothing") is None
    assert StackFile(path).set(("hybrid:agent", "replicas"), 4)
    assert not StackFile(path).set(("hybrid:agent", "replicas"), 4), "the same is no change"
    assert StackFile(path).remove(("hybrid:agent", "replicas"))
    assert "replicas" not in path.read_text()


OWN = ("config", "hybrid:ownQueue", "locations")
LISTS = {
    "absent": "config:\n  hybrid:phase: prepare  # ours\n",
    "one line": "config:\n  hybrid:ownQueue:\n    name: hybrid\n    locations: [a]  # ours\n  x: y\n",
    "lines": "config:\n  hybrid:ownQueue:\n    locations:\n      - a\n      - b\n    # ours\n    name: hybrid\n",
    "flow": "config: {hybrid:ownQueue: {locations: [a, b]}}\n",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("value", [[], ["a"], ["a", "_b", "true", "1e3", "x.y"]])
def test_a_list_is_written_on_one_line_and_read_back_as_texts(text: str, value: list[str]) -> None:
    changed = with_value(text, OWN, value, "x")
    found = yaml.safe_load(changed)
    assert found["config"]["hybrid:ownQueue"]["locations"] == value
    before = yaml.safe_load(text)["config"]
    assert {**before, "hybrid:ownQueue": None} == {**found["config"], "hybrid:ownQueue": None}, "all else stays"
    assert ("# ours" in text) == ("# ours" in changed), "comments are a person's"
    assert with_value(changed, OWN, value, "x") == changed, "a second time there is nothing to do"


def test_a_list_of_what_could_be_no_setting_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be a setting"):
        with_value(LISTS["one line"], OWN, ["a", "b\nhybrid:phase: serve"], "x")
