"""The text of a stack file: plain YAML that Pulumi and Python read alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

# What both YAML 1.1 and 1.2 take for a text without quotes; digits first may be a number in one of them: 1e3.
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./@:-]*")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def stack_text(settings: Mapping[str, Any], heading: str) -> str:
    """``settings`` by key without ``hybrid:``, under a comment of one or more lines."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in heading.splitlines())
    config = {f"hybrid:{key}": value for key, value in settings.items()}
    text = yaml.dump(
        {"config": config},
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=2**31,
    )
    return comment + text
