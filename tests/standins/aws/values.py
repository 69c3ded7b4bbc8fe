"""Terraform's values on the wire: msgpack with an extension for what is not known yet.

Source: docs/plugin-protocol/object-wire-format.md of Terraform.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgpack

from hybrid.provider.properties import UNKNOWN
from tests.standins.aws.wire import MESSAGES

_UNKNOWN: Final = msgpack.ExtType(0, b"\0")


def packed(value: Any) -> Any:
    """``value`` as a DynamicValue."""
    return MESSAGES["DynamicValue"](msgpack=msgpack.packb(value, default=_extension, use_bin_type=True))


def unpacked(value: Any) -> Any:
    """What a DynamicValue holds; None for nothing."""
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, ext_hook=_read, raw=False, strict_map_key=False)
    return json.loads(value.json) if value.json else None


def _extension(value: Any) -> msgpack.ExtType:
    if value is UNKNOWN:
        return _UNKNOWN
    raise TypeError(f"a {type(value).__name__} is no value of Terraform")


def _read(code: int, data: bytes) -> Any:
    """0 is unknown; 12 is unknown, too, with what is known of it besides."""
    return UNKNOWN
