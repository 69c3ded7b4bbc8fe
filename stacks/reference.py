"""The reference of the stack file as Markdown, from the models themselves. ``make docs`` writes docs/settings.md."""

from __future__ import annotations

import ast
import inspect
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stacks.settings import NAMESPACE, Settings

HEAD = """# Settings

Every key of a stack file `stacks/Pulumi.<stack>.yaml`, below `config:`. This page is made from the models in
`stacks/settings.py` and `agent/spec.py` by `make docs`; a test holds it to them.

```yaml
config:
  hybrid:organization: acme
  hybrid:deployment: prod
  hybrid:agent:
    kind: local
```

A wrong or unknown key stops every command before anything is done, with the file, the key and what is allowed.
Secrets have no place here: an API token comes from `DAGSTER_CLOUD_API_TOKEN`, and the stack makes the agent's token.
"""


def markdown() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_table("", Settings)]).rstrip() + "\n"


def _table(prefix: str, model: type[BaseModel]) -> list[str]:
    title = f"`{NAMESPACE}{prefix.rstrip('.')}`" if prefix else "Keys"
    lines = [f"## {title}", "", (model.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip(), ""]
    lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
    nested: list[tuple[str, type[BaseModel]]] = []
    said = meanings(model)
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        lines.append(f"| `{NAMESPACE}{key}` | {_allowed(field)} | {_default(field)} | {_meaning(said.get(name, ''))} |")
        nested += [(f"{key}.", part) for part in _models(field.annotation)]
    lines.append("")
    for key, part in nested:
        lines += _table(key, part)
    return lines


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _allowed(field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(item, word)}"
        for item in field.metadata
        for word, sign in (("ge", "≥"), ("le", "≤"), ("gt", ">"), ("lt", "<"))
        if getattr(item, word, None) is not None
    ]
    return ", ".join([_type(field.annotation), *limits])


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Union or type(annotation).__name__ == "UnionType":
        return " or ".join(_type(part) for part in get_args(annotation) if part is not type(None))
    if origin in {tuple, list}:
        return f"list of {_type(get_args(annotation)[0])}"
    if origin is dict:
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping, see below"
    return {Path: "path", str: "text", int: "number", float: "number", bool: "`true` or `false`"}.get(
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
