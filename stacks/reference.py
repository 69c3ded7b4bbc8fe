"""The reference of the stack file as Markdown, from the models themselves. ``make docs`` writes docs/settings.md."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stacks.settings import Settings
from stacks.settings_words import NAMESPACE

HEAD = """# Settings

Every key of a stack file `stacks/Pulumi.<stack>.yaml`, below `config:`. This page is made by `make docs` from the
models themselves: `stacks/settings.py` and what it names (`stacks/*_settings.py`, `agent/spec.py`,
`agent/docker_spec.py`, `agent/ecs_spec.py`, `agent/kubernetes_spec.py` and `agent/azure_spec.py` with their parts
beside them); a test holds it to them.

An agent on this machine for an organization:

```yaml
config:
  hybrid:organization: acme
  hybrid:deployment: prod
  hybrid:agent:
    kind: local
```

An agent on ECS. Without the lines after the region the stack makes a network of its own and tells nobody of trouble:

```yaml
config:
  hybrid:organization: acme
  hybrid:deployment: prod
  hybrid:agent:
    kind: ecs
    secrets:
      WAREHOUSE_PASSWORD: arn:aws:secretsmanager:eu-central-1:123456789012:secret:warehouse-AbCdEf
  hybrid:aws:
    account: "123456789012"
    region: eu-central-1
    tags:
      team: data
    network:
      kind: ids
      vpcId: vpc-0123456789abcdef0
      subnetIds: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
      assignPublicIp: false
    alarms:
      emails: [data-oncall@acme.example]
```

An agent in Azure Container Apps. The stack makes the rest, from the resource group to the storage:

```yaml
config:
  hybrid:organization: acme
  hybrid:deployment: prod
  hybrid:agent:
    kind: azure
  hybrid:azure:
    subscription: 00000000-1111-2222-3333-444444444444
    location: westeurope
```

A wrong or unknown key stops every command before anything is done, with the file, the key and what is allowed.
Secrets have no place here: an API token comes from `DAGSTER_CLOUD_API_TOKEN`, the stack makes the agent's token, and
`secrets` are ARNs.

`[]` stands for each entry of a list, `<name>` for a name of your own.
"""

_COLUMNS = ["| key | value | default | meaning |", "|---|---|---|---|"]
Row = tuple[str, str, str, str]
"""Key, value, default, meaning."""
Part = tuple[str, str, type[BaseModel]]
"""What a nested model is below: the path of its keys; what tells it from others there; the model."""


def markdown() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_section("Keys", "", Settings), *_below("", Settings, set())]).rstrip() + "\n"


def _section(title: str, prefix: str, model: type[BaseModel], common: Sequence[Row] = ()) -> list[str]:
    """The table of ``model``, without the rows of ``common``."""
    about = (model.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()
    return [f"## {title}", "", about, "", *_table([row for row in _rows(prefix, model) if row not in common])]


def _below(prefix: str, model: type[BaseModel], seen: set[Part], within: str = "") -> list[str]:
    """The sections of the models that are values of ``model``'s, as far as they are not on the page yet. ``within``:
    of which kind they are, for keys that several kinds have with other contents."""
    lines: list[str] = []
    for name, field in model.model_fields.items():
        parts = [part for part in _parts(f"{prefix}{field.alias or name}", field.annotation, "") if part not in seen]
        seen |= {*parts}
        shared = _common(parts)
        if shared:
            kinds = ", ".join(told.removeprefix("kind: ") for _, told, _ in parts)
            lines += [f"## `{NAMESPACE}{parts[0][0]}`, of every kind", "", f"Kinds: {kinds}.", "", *_table(shared)]
        for key, told, part in parts:
            title = f"`{NAMESPACE}{key}`" + (f", `{told}`" if told else "")
            if within and not told and any(other == key and kept is not part for other, _, kept in seen):
                title += f", of `{within}`"
            lines += _section(title, f"{key}.", part, shared)
        for key, told, part in parts:
            lines += _below(f"{key}.", part, seen, told or within)
    return lines


def _common(parts: Sequence[Part]) -> list[Row]:
    """The keys that all of several kinds have alike."""
    if len(parts) < 2:
        return []
    (key, _, first), *others = parts
    rows = [{*_rows(f"{key}.", model)} for _, _, model in others]
    return [row for row in _rows(f"{key}.", first) if all(row in each for each in rows)]


def _rows(prefix: str, model: type[BaseModel]) -> list[Row]:
    said = meanings(model)
    return [
        (f"{prefix}{field.alias or name}", _allowed(field), _default(field), _meaning(said.get(name, "")))
        for name, field in model.model_fields.items()
    ]


def _table(rows: Sequence[Row]) -> list[str]:
    return [*_COLUMNS, *(f"| `{NAMESPACE}{key}` | {' | '.join(rest)} |" for key, *rest in rows), ""]


def _parts(key: str, annotation: Any, told: str) -> list[Part]:
    """The models that may stand at ``key``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get("kind")
        return [
            (key, told if kind is None else f"kind: {kind.annotation and get_args(kind.annotation)[0]}", annotation)
        ]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        tags = [each.tag for each in arguments[1:] if isinstance(each, Tag)]
        return _parts(key, arguments[0], f"{tags[0]}: …" if tags else told)
    if origin in {tuple, list}:
        return _parts(f"{key}[]", arguments[0], told)
    if origin is dict:
        return _parts(f"{key}.<name>", arguments[1], told)
    return [part for each in arguments for part in _parts(key, each, told)]


def _allowed(field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(item, word)}"
        for item in field.metadata
        for word, sign in (("ge", "≥"), ("le", "≤"), ("gt", ">"), ("lt", "<"))
        if getattr(item, word, None) is not None
    ]
    return ", ".join([_type(field.annotation), *limits]).replace("|", "\\|")


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Union or type(annotation).__name__ == "UnionType":
        return " or ".join(dict.fromkeys(_type(part) for part in get_args(annotation) if part is not type(None)))
    if origin in {tuple, list}:
        return f"list of {_type(get_args(annotation)[0])}"
    if origin is dict:
        return "mapping, see below" if _parts("", annotation, "") else "mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping, see below"
    return {Path: "path", str: "text", int: "number", float: "number", bool: "`true` or `false`", date: "date"}.get(
        annotation, str(annotation)
    )


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return "needed"
    if default is None or default == "":
        return "none"
    if isinstance(default, BaseModel):
        return "see below"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple | list):
        return ", ".join(f"`{item}`" for item in default) or "none"
    return f"`{default}`"


def _meaning(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the text below each field says, its bases' fields included. Read here from the source: pydantic can do it
    while it makes a model, but that costs every command a twentieth of a second."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            (tree,) = ast.parse(inspect.getsource(each)).body
            found |= _texts(tree)
    return found


def _texts(tree: ast.AST) -> dict[str, str]:
    body = getattr(tree, "body", [])
    return {
        field.target.id: text.value.value
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


if __name__ == "__main__":
    sys.stdout.write(markdown())
