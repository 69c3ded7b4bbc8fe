"""Values that must not be copied into files of a checkout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hybrid.redaction import redact

# A variable whose name ends so holds a secret, whatever its value looks like.
_TELLING_NAME: Final = re.compile(
    r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|DSN|(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION)_?KEY)$",
    re.I,
)
_TELLING_VALUE: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\"private_key\""
    r"|^(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk[-_]|hvs\.|npm_|pypi-)"
    r"|^eyJ[\w-]+\.eyJ"
)


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable's plain value should be in no file: by its name, or by the shape of its value."""
    if not value:
        return False
    return bool(_TELLING_NAME.search(name) or _TELLING_VALUE.search(value)) or redact(value) != value


def secret_names(value: Any, name: str = "") -> Iterator[str]:
    """The names of what looks secret anywhere in ``value``: variables as texts ``NAME=value`` or as pairs of ``name``
    and ``value``, and values of mappings."""
    if isinstance(value, Mapping):
        own = value.get("name")
        if isinstance(own, str) and isinstance(value.get("value"), str) and looks_secret(own, value["value"]):
            yield own
        for key, item in value.items():
            if not (key == "value" and isinstance(own, str)):
                yield from secret_names(item, str(key))
    elif isinstance(value, list):
        for item in value:
            variable, equals, held = item.partition("=") if isinstance(item, str) else ("", "", "")
            if equals and looks_secret(variable, held):
                yield variable
            elif not equals:
                yield from secret_names(item, name)
    elif isinstance(value, str) and redact(value) != value:
        yield name
