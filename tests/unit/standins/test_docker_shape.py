"""The stand-in's names and types against pulumi-docker's SDK; its checks of values."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from typing import Any

import pulumi
import pulumi_docker
import pytest
from pulumi._types import input_type_py_to_pulumi_names
from pulumi_docker import container, network, remote_image, volume

from hybrid.provider.properties import UNKNOWN, Secret
from tests.standins.docker.container_config import nanoseconds
from tests.standins.docker.kind import Kind, PluginError
from tests.standins.docker.server import KINDS
from tests.standins.docker.shape import EACH, Property, Shape, faults, settled

pytestmark = pytest.mark.contracts

OF = typing.TypeVar("OF")

ARGUMENTS = {
    "docker:index/container:Container": (pulumi_docker.ContainerArgs, container._ContainerState),
    "docker:index/network:Network": (pulumi_docker.NetworkArgs, network._NetworkState),
    "docker:index/remoteImage:RemoteImage": (pulumi_docker.RemoteImageArgs, remote_image._RemoteImageState),
    "docker:index/volume:Volume": (pulumi_docker.VolumeArgs, volume._VolumeState),
}


def _bare(hint: Any) -> Any:
    """The type in a hint, without the choices of None, outputs and dictionaries of the SDK."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        choices = [_bare(choice) for choice in typing.get_args(hint)]
        kept = [choice for choice in choices if choice is not None]
        return kept[0] if kept else None
    return None if hint is type(None) or origin in (collections.abc.Awaitable, pulumi.Output) else hint


def _hints(arguments: type) -> dict[str, Any]:
    """Wire names to types of an arguments class."""
    names = input_type_py_to_pulumi_names(arguments)
    known = {**vars(pulumi_docker), **vars(inspect.getmodule(arguments)), "Output": pulumi.Output, "T": OF}
    hints = typing.get_type_hints(arguments.__init__, globalns=known)
    return {names[name]: _bare(hint) for name, hint in hints.items() if name in names}


def _differences(shape: Shape, hint: Any, path: str) -> list[str]:
    """Where a shape says another thing than the SDK."""
    origin, inner = typing.get_origin(hint), [_bare(part) for part in typing.get_args(hint)]
    match shape:
        case type():
            return [] if shape is hint else [f"{path}: {shape} here, {hint} in the SDK"]
        case [each]:
            if origin is not collections.abc.Sequence:
                return [f"{path}: a list here, {hint} in the SDK"]
            return _differences(each, inner[0], f"{path}[]")
        case {"*": each}:
            if origin is not collections.abc.Mapping:
                return [f"{path}: a map here, {hint} in the SDK"]
            return _differences(each, inner[1], f"{path}.*")
    return _record_differences(shape, hint, path)


def _record_differences(shape: dict[str, Shape], hint: Any, path: str) -> list[str]:
    hints = _hints(hint)
    required = {
        wire
        for name, wire in input_type_py_to_pulumi_names(hint).items()
        if inspect.signature(hint.__init__).parameters[name].default is inspect.Parameter.empty
    }
    found = [f"{path}.{name} is required in the SDK" for name in required if f"{name}!" not in shape]
    for name, each in shape.items():
        wire = name.rstrip("!")
        if wire not in hints:
            found.append(f"{path}.{wire} is not in the SDK")
        else:
            found += _differences(each, hints[wire], f"{path}.{wire}")
    return found


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.token.rpartition(":")[2])
def test_every_mapped_property_is_the_sdk_s(kind: Kind) -> None:
    arguments, state = ARGUMENTS[kind.token]
    hints = _hints(arguments)
    found = [
        difference
        for name, given in kind.properties.items()
        for difference in (_differences(given.shape, hints[name], name) if name in hints else [f"{name}: not there"])
    ]
    assert found == [], "names or types differ from pulumi-docker's"
    outputs = set(input_type_py_to_pulumi_names(state).values())
    assert set(kind.computed) <= outputs, "an output has another name than the SDK's"


def test_what_differs_from_the_sdk_is_found() -> None:
    hints = _hints(pulumi_docker.ContainerArgs)
    assert _differences(int, hints["image"], "image"), "another type must be told"
    assert _differences([{"label!": str}], hints["labels"], "labels") == ["labels[].value is required in the SDK"]
    assert _differences([{"label!": str, "value!": str, "x": str}], hints["labels"], "labels"), "a made-up name"


def test_wrong_missing_and_unmapped_values_are_named_and_unknown_ones_wait() -> None:
    properties = {
        "image": Property(str, required=True),
        "envs": Property([str]),
        "ports": Property([{"internal!": int, "ip": str}]),
        "options": Property({EACH: str}),
    }
    given = {"envs": Secret(["A=1", 2]), "ports": [{"ip": True}], "options": {"a": 1}, "gpus": "all"}
    assert [path for path, _ in faults(properties, given)] == [
        "image",
        "envs[1]",
        "ports[0].ip",
        "ports[0]",
        "options.a",
        "gpus",
    ], "each fault must be named at its place"
    assert list(faults(properties, {"image": UNKNOWN, "envs": [UNKNOWN]})) == [], "a preview knows not all values"
    assert list(faults({"n": Property(int)}, {"n": True})), "true is no number"


def test_order_defaults_and_secrecy_are_no_difference() -> None:
    envs = Property([str], unordered=True)
    assert settled(envs, Secret(["A=1", "B=2"])) == settled(envs, ["B=2", Secret("A=1")]), "the same environment"
    assert settled(Property([str]), ["a", "b"]) != settled(Property([str]), ["b", "a"]), "a command has an order"
    assert settled(Property(bool, default=True), None) == settled(Property(bool, default=True), True), "the default"
    assert settled(envs, []) == settled(envs, None), "an empty list is none"
    assert settled(envs, ["A=1"]) != settled(envs, ["A=2"]), "another value is a difference"


def test_durations_are_read_as_go_writes_them() -> None:
    assert nanoseconds("1m30s") == 90 * 10**9, "minutes and seconds add"
    assert nanoseconds("250ms") == 250 * 10**6, "ms is not m"
    for wrong in ("", "30", "s", "1d", "-1s"):
        with pytest.raises(PluginError):
            nanoseconds(wrong)
