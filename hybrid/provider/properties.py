"""Property values as they travel between engine and provider, and as Python values here.

On the wire a value is a protobuf ``Struct``; secrets, unknown values and output values are objects with a signature
key. Source: sdk/go/common/resource/plugin/rpc.go and sdk/go/common/resource/sig of Pulumi 3.259.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the public signature of the wire format
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_OTHER_UNKNOWNS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)

Properties = dict[str, Any]
"""Property names to values; a value may hold ``Secret`` and ``UNKNOWN`` at any depth."""


class Unknown:
    """A value that is known only after an update: seen in previews."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that the engine keeps as ciphertext in state and never shows."""

    value: Any

    def __repr__(self) -> str:
        return "[secret]"


def decode(struct: struct_pb2.Struct) -> Properties:
    """The properties of a request."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The properties of an answer."""
    return struct_pb2.Struct(fields={key: _encode(value) for key, value in properties.items()})


def reveal(value: Any) -> Any:
    """``value`` with its secrets as plain values, for the work itself."""
    return _walked(value, lambda secret: reveal(secret.value))


def masked(value: Any) -> Any:
    """``value`` with a mask for each secret, for text that people read."""
    return _walked(value, lambda secret: "[secret]")


def has_unknown(value: Any) -> bool:
    """Whether a part of ``value`` is not known yet."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN


def _walked(value: Any, replace: Callable[[Secret], Any]) -> Any:
    if isinstance(value, Secret):
        return replace(value)
    if isinstance(value, Mapping):
        return {key: _walked(item, replace) for key, item in value.items()}
    if isinstance(value, list):
        return [_walked(item, replace) for item in value]
    return value


def _decode(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return _decode_object(value.struct_value)
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "string_value":
            text = value.string_value
            return UNKNOWN if text == UNKNOWN_TEXT or text in _OTHER_UNKNOWNS else text
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case _:
            return None


def _decode_object(struct: struct_pb2.Struct) -> Any:
    signature = struct.fields[SIGNATURE].string_value if SIGNATURE in struct.fields else ""
    if signature == SECRET:
        return Secret(_decode(struct.fields["value"]))
    if signature == OUTPUT:
        inner = _decode(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
        secret = "secret" in struct.fields and struct.fields["secret"].bool_value
        return Secret(inner) if secret else inner
    return decode(struct)


def _encode(value: Any) -> struct_pb2.Value:
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() | float():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case Unknown():
            return struct_pb2.Value(string_value=UNKNOWN_TEXT)
        case Secret(value=inner):
            return struct_pb2.Value(struct_value=encode({SIGNATURE: SECRET, "value": inner}))
        case Mapping():
            return struct_pb2.Value(struct_value=encode(value))
        case list() | tuple():
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_encode(item) for item in value]))
        case _:
            raise TypeError(f"a {type(value).__name__} is no property value")
