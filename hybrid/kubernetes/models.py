"""Whether what somebody wrote is what Kubernetes knows: keys held against the models of the official client.

They are made from Kubernetes' own OpenAPI (github.com/kubernetes-client/python). Only keys and kinds of values are
looked at; whether a cluster takes the whole is its own to say. Pure but for the import, which takes half a second and
happens when there is something to look at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

_DEEPEST: Final = 20
_LIST: Final = re.compile(r"list\[(.+)\]")
_MAPPING: Final = re.compile(r"dict[(\[]str, (.+)[)\]]")  # releases of the client write it in two ways
_PLAIN: Final = frozenset({"str", "int", "float", "bool", "object", "datetime", "date"})


def problem_of(model: str, said: Any, where: str = "") -> str | None:
    """What of ``said`` cannot be a ``model`` (``V1Container``, ``list[V1Toleration]``), as a sentence; None: nothing.

    Keys may be camelCase or snake_case: dagster_k8s takes both. Values are not repeated.
    """
    return _problem(model, said, where, _DEEPEST)


def _problem(model: str, said: Any, where: str, depth: int) -> str | None:
    if depth == 0:
        return f"{_at(where)}is nested too deep"
    if (found := _LIST.fullmatch(model)) is not None:
        return _of_list(found[1], said, where, depth)
    if (found := _MAPPING.fullmatch(model)) is not None:
        return _of_mapping(found[1], said, where, depth)
    if model in _PLAIN:
        return _of_plain(model, said, where)
    if not isinstance(said, Mapping):
        return f"{_at(where)}must be a mapping"
    known = _keys(model)
    for key, value in said.items():
        if key not in known:
            return f"{_at(where)}has no key `{str(key)[:60]}`"
        if value is not None and (wrong := _problem(known[key], value, f"{where}.{key}".lstrip("."), depth - 1)):
            return wrong
    return None


def _of_list(model: str, said: Any, where: str, depth: int) -> str | None:
    if not isinstance(said, list | tuple):
        return f"{_at(where)}must be a list"
    wrongs = (_problem(model, each, f"{where}[{index}]", depth - 1) for index, each in enumerate(said))
    return next((wrong for wrong in wrongs if wrong), None)


def _of_mapping(model: str, said: Any, where: str, depth: int) -> str | None:
    if not isinstance(said, Mapping):
        return f"{_at(where)}must be a mapping"
    wrongs = (_problem(model, value, f"{where}.{key}".lstrip("."), depth - 1) for key, value in said.items())
    return next((wrong for wrong in wrongs if wrong), None)


def _of_plain(model: str, said: Any, where: str) -> str | None:
    if model == "str" and not isinstance(said, str | int | float):  # quantities are often written as numbers
        return f"{_at(where)}must be text"
    if model == "str" and isinstance(said, bool):
        return f"{_at(where)}must be text: put it in quotes"
    if model == "int" and (isinstance(said, bool) or not isinstance(said, int)):
        return f"{_at(where)}must be a number"
    if model == "bool" and not isinstance(said, bool):
        return f"{_at(where)}must be true or false"
    return None


def _at(where: str) -> str:
    return f"`{where}` " if where else "it "


@cache
def _keys(model: str) -> dict[str, str]:
    """The model's keys in both manners, with the kind of their value."""
    import kubernetes.client.models as models

    made = getattr(models, model)
    names: dict[str, str] = made.attribute_map
    kinds: dict[str, str] = made.openapi_types
    return {name: kinds[attribute] for attribute, json in names.items() for name in (attribute, json)}


def named_by_client(model: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """``said`` with its own keys, not those below, as the client's attributes: ``nodeSelector`` is ``node_selector``.
    A key that ``model`` does not know stays as it is."""
    import kubernetes.client.models as models

    attributes = {json: attribute for attribute, json in getattr(models, model).attribute_map.items()}
    return {attributes.get(key, key): value for key, value in said.items()}
