"""How Terraform's names and nesting are paired with the SDK's, on a schema made by hand; no provider is started."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pytest

from hybrid.provider.properties import UNKNOWN, Secret
from tests.standins.aws import convert, planning, shapes
from tests.standins.aws.shapes import Shape
from tests.standins.aws.wire import MESSAGES

pytestmark = pytest.mark.unit


@pulumi.output_type
class Part(dict):
    @property
    @pulumi.getter(name="fromPort")
    def from_port(self) -> int:
        return pulumi.get(self, "from_port")


@pulumi.output_type
class Whole(dict):
    @property
    @pulumi.getter
    def name(self) -> str:
        return pulumi.get(self, "name")

    @property
    @pulumi.getter(name="subnetIds")
    def subnet_ids(self) -> Sequence[str]:
        return pulumi.get(self, "subnet_ids")

    @property
    @pulumi.getter
    def tags(self) -> dict[str, str] | None:
        return pulumi.get(self, "tags")

    @property
    @pulumi.getter
    def network(self) -> Part | None:
        return pulumi.get(self, "network")

    @property
    @pulumi.getter
    def policies(self) -> Sequence[Part] | None:
        return pulumi.get(self, "policies")

    @property
    @pulumi.getter
    def secret(self) -> str | None:
        return pulumi.get(self, "secret")

    @property
    @pulumi.getter(name="newerThanTheProvider")
    def newer_than_the_provider(self) -> str | None:
        return pulumi.get(self, "newer_than_the_provider")


def attribute(name: str, kind: Any = "string", **flags: bool) -> Any:
    return MESSAGES["Attribute"](name=name, type=json.dumps(kind).encode(), **(flags or {"optional": True}))


def shape() -> Shape:
    part = MESSAGES["Block"](attributes=[attribute("from_port", "number"), attribute("id", computed=True)])
    block = MESSAGES["Block"](
        attributes=[
            attribute("alarm_name", required=True),
            attribute("subnet_ids", ["set", "string"]),
            attribute("tags", ["map", "string"]),
            attribute("secret", optional=True, sensitive=True),
            attribute("arn", computed=True),
        ],
        block_types=[
            MESSAGES["NestedBlock"](type_name="network", block=part, nesting=2, max_items=1),
            MESSAGES["NestedBlock"](type_name="policy", block=part, nesting=3),
        ],
    )
    return shapes.paired(block, shapes.annotations_of(Whole), {"alarm_name": "name"})


GIVEN = {
    "name": "one",
    "subnetIds": ["b", "a"],
    "tags": {"team": "data"},
    "network": {"fromPort": 4000},
    "policies": [{"fromPort": 1}],
}
CONFIGURED = {
    "alarm_name": "one",
    "subnet_ids": ["b", "a"],
    "tags": {"team": "data"},
    "secret": None,
    "arn": None,
    "network": [{"from_port": 4000, "id": None}],
    "policy": [{"from_port": 1, "id": None}],
}


def test_names_are_camel_case_plurals_or_renamed() -> None:
    pairs = {field.terraform: (field.pulumi, field.paired) for field in shape().fields}
    assert pairs["alarm_name"] == ("name", True), "renamed by hand"
    assert pairs["subnet_ids"] == ("subnetIds", True), "camel case"
    assert pairs["policy"] == ("policies", True), "the plural that the SDK has"
    assert pairs["arn"] == ("arn", False), "the SDK does not have it"


def test_what_the_provider_lacks_is_listed() -> None:
    missing = list(shapes.unpaired(shape(), shapes.annotations_of(Whole) or {}))
    assert missing == ["newerThanTheProvider"], "a property without a pair must be known"


def test_a_shape_is_the_same_after_it_was_kept() -> None:
    assert Shape.of_json(json.loads(json.dumps(shape().as_json()))) == shape(), "what is kept must lose nothing"


def test_values_go_over_and_come_back() -> None:
    assert convert.to_terraform(shape(), GIVEN, given=True) == CONFIGURED, "a block of one item stands in a list there"
    assert convert.from_terraform(shape(), CONFIGURED) == GIVEN, "and comes back without it"
    told = convert.from_terraform(shape(), {**CONFIGURED, "secret": "x", "arn": UNKNOWN})
    assert (told["secret"], told["arn"]) == (Secret("x"), UNKNOWN), "what is sensitive is a secret"


def test_every_path_that_nothing_pairs_with_is_named() -> None:
    inside = {"network": {"toPort": 1}, "policies": [{}, {"toPort": 1}]}
    found = sorted(convert.unmapped(shape(), {**GIVEN, **inside, "newerThanTheProvider": "x", "arn": "x"}))
    expected = ["arn", "network.toPort", "newerThanTheProvider", "policies[1].toPort"]
    assert found == expected, "at any depth, and also what only the provider may set"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"name": ["x"]}, "name"),
        ({"subnetIds": "a"}, "subnetIds"),
        ({"network": {"fromPort": "many"}}, "network.fromPort"),
        ({"policies": [{"fromPort": True}]}, "policies[0].fromPort"),
        ({"tags": {"team": {"x": 1}}}, "tags.team"),
        ({"tags": {"my/team": ["x"]}}, 'tags["my/team"]'),
    ],
    ids=["list-for-text", "text-for-list", "word-for-number", "truth-for-number", "object-for-text", "odd-key"],
)
def test_a_value_of_another_kind_is_refused_with_its_path(given: dict[str, Any], path: str) -> None:
    with pytest.raises(convert.ShapeError) as refused:
        convert.to_terraform(shape(), given, given=True)
    assert refused.value.path == path, "the path leads to the value"


def test_numbers_and_truths_are_taken_as_text_and_from_text() -> None:
    given = {"name": 5, "tags": {"on": True}, "network": {"fromPort": "4000"}}
    there = convert.to_terraform(shape(), given, given=True)
    assert (there["alarm_name"], there["tags"], there["network"][0]["from_port"]) == ("5", {"on": "true"}, 4000)


def test_a_problem_s_path_is_told_in_the_sdk_s_names() -> None:
    assert convert.pulumi_path(shape(), ("network", 0, "from_port")) == "network.fromPort", "no list there"
    assert convert.pulumi_path(shape(), ("policy", 1, "from_port")) == "policies[1].fromPort", "a list here"
    assert convert.pulumi_path(shape(), ("unheard_of",)) == "", "as far as it is known"


def test_what_the_provider_filled_in_is_proposed_again() -> None:
    prior = {**CONFIGURED, "arn": "arn:1", "network": [{"from_port": 4000, "id": "n"}]}
    prior["policy"] = [{"from_port": 2, "id": "two"}, {"from_port": 1, "id": "one"}]
    told = planning.proposed(shape(), prior, CONFIGURED)
    assert told["arn"] == "arn:1", "computed, and the program says nothing"
    assert told["network"] == [{"from_port": 4000, "id": "n"}], "the item of the same place"
    assert told["policy"] == [{"from_port": 1, "id": "one"}], "of a set the one that is described"
    assert planning.proposed(shape(), None, CONFIGURED) == CONFIGURED, "nothing was there before"


def test_order_of_sets_and_kinds_of_nothing_are_no_difference() -> None:
    prior = {**CONFIGURED, "subnet_ids": ["a", "b"], "tags": {}, "secret": None}
    planned = {**CONFIGURED, "tags": None}
    assert list(planning.changed(shape(), prior, planned)) == [], "nothing changed"


def test_a_default_that_the_program_leaves_alone_is_a_difference_too() -> None:
    planned = {**CONFIGURED, "secret": "default"}
    found = [field.pulumi for field in planning.changed(shape(), CONFIGURED, planned)]
    assert found == ["secret"], "what is not given back would be hidden otherwise"


def test_differences_are_told_down_to_the_tag_and_the_part() -> None:
    fields = {field.terraform: field for field in shape().fields}
    tags = planning.differences(fields["tags"].shape, {"a": "1", "b": "2"}, {"b": "3", "c": "4"}, "tags")
    assert dict(tags) == {'tags["a"]': "DELETE", 'tags["b"]': "UPDATE", 'tags["c"]': "ADD"}
    port = planning.differences(fields["network"].shape, [{"from_port": 1}], [{"from_port": 2}], "network")
    assert dict(port) == {"network.fromPort": "UPDATE"}, "inside a block of one"
    whole = planning.differences(fields["network"].shape, [], [{"from_port": 2}], "network")
    assert dict(whole) == {"network": "ADD"}, "a block that was not there"
