"""The reference of the review's JSON as Markdown, from the models themselves. ``make docs`` writes
docs/review-json.md."""

from __future__ import annotations

import ast
import inspect
import sys
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from hybrid.review.document import Review

HEAD: Final = """# The review as JSON

What `hybrid review --json` prints and `--output` writes as `review.json`. This page is made by `make docs` from the
models in `hybrid/review/document.py`; a test holds it to them. Keys are added, never renamed or removed; `version`
counts what would break a reader.
"""


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    waiting: list[type[BaseModel]] = [Review]
    seen: set[type[BaseModel]] = set()
    while waiting:
        model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        rows = []
        texts = _texts(model)
        for name, field in model.model_fields.items():
            waiting += _models(field.annotation)
            rows.append(f"| `{name}` | {_words(field.annotation)} | {texts.get(name, '')} |")
        summary = inspect.getdoc(model) or ""
        parts.append(f"## {model.__name__}\n\n{summary}\n\n| key | is | |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _texts(model: type[BaseModel]) -> dict[str, str]:
    """The text under each field."""
    (tree,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - the source of a class is one
    found: dict[str, str] = {}
    name = ""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            found[name] = " ".join(str(node.value.value).split())
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _words(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        known = [part for part in parts if part is not NoneType]
        return f"{_words(known[0])} or null" if len(known) < len(parts) else " or ".join(map(_words, known))
    if origin is tuple:
        return f"list of {_words(parts[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return {str: "text", int: "number", float: "number", bool: "true or false"}.get(annotation, "anything")


if __name__ == "__main__":
    sys.stdout.write(reference())
