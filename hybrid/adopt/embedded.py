"""The ``dagster.yaml`` that a hand-made agent carries in its task definition: in the command that writes it, as the
official CloudFormation template has it, in a here-document, in base64, or in a variable."""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import yaml

from hybrid.redaction import Token

TOKEN_VARIABLE: Final = "DAGSTER_CLOUD_AGENT_TOKEN"  # noqa: S105 - the variable's name

_MARKS: Final = ("user_code_launcher", "dagster_cloud_api")
_HERE: Final = re.compile(r"<<-?[ \t]*\\?['\"]?(\w+)['\"]?[^\n]*\n(.*?)\n[ \t]*\1\b", re.S)
_QUOTED: Final = (re.compile(r"'([^']*)'"), re.compile(r'"((?:[^"\\]|\\.)*)"', re.S))
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{80,}={0,2}")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class DagsterYaml:
    """An agent's settings without its token."""

    document: Mapping[str, Any]
    plain_token: bool
    """Whether the token stood in it, for everybody who may read task definitions."""


def embedded(container: Mapping[str, Any]) -> DagsterYaml | None:
    """The settings in a ``containerDefinition`` as DescribeTaskDefinition tells it; None when there are none in it, as
    with an image that has them inside. The token in them is kept from every later word of this process, and not
    returned."""
    variables = plain_variables(container)
    for text in _texts(container, variables):
        document = _parsed(text)
        if document is not None:
            return _without_token(_resolved(document, variables))
    return None


def plain_variables(container: Mapping[str, Any]) -> dict[str, str]:
    """The container's variables whose values stand in the task definition."""
    return {str(each.get("name", "")): str(each.get("value", "")) for each in container.get("environment") or ()}


def _texts(container: Mapping[str, Any], variables: Mapping[str, str]) -> Iterator[str]:
    yield from (value for value in variables.values() if any(mark in value for mark in _MARKS))
    command = "\n".join(str(part) for part in [*(container.get("entryPoint") or ()), *(container.get("command") or ())])
    yield from (found[2] for found in _HERE.finditer(command))
    for pattern in _QUOTED:
        yield from (found[1] for found in pattern.finditer(command))
    for found in _BASE64.finditer(command):
        try:
            yield base64.b64decode(found[0], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue


def _parsed(text: str) -> dict[str, Any] | None:
    if not any(mark in text for mark in _MARKS):
        return None
    unescaped = re.sub(r"\\([\"$`\\])", r"\1", text)
    for form in (text, unescaped, unescaped.replace("\\n", "\n")):
        try:
            value = yaml.safe_load(textwrap.dedent(form.strip("\n").expandtabs()))
        except yaml.YAMLError:  # not told: its words quote the text, and the token with it
            continue
        if isinstance(value, dict) and any(isinstance(value.get(mark), dict) for mark in _MARKS):
            return value
    return None


def _resolved(value: Any, variables: Mapping[str, str]) -> Any:
    """What the shell and Dagster put in the place of variables, as far as the container has their values."""
    if isinstance(value, dict):
        if set(value) == {"env"} and value["env"] != TOKEN_VARIABLE and value["env"] in variables:
            return variables[value["env"]]
        return {key: _resolved(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, variables) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], found[0]), value)
    return value


def _without_token(document: dict[str, Any]) -> DagsterYaml:
    document = deepcopy(document)
    api = document.get("dagster_cloud_api")
    token = api.pop("agent_token", None) if isinstance(api, dict) else None
    plain = isinstance(token, str) and bool(token)
    if plain:
        Token(str(token))  # from now on no output of this process shows it
    return DagsterYaml(document, plain)
