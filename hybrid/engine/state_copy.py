"""A copy of a stack's state and file in a folder of its own, for a preview that cannot write where the team's lie.

The values of secrets may be withheld from the copy: then nothing has to be decrypted, and a program that somebody
else wrote has nothing to show. A secret whose ciphertext in the stack file differs from that of the base stands for
another value, so that its change is seen all the same.

Shapes: pulumi sdk/go/common/apitype/core.go (deployments), pkg/backend/diy/state.go (the file backend) of 3.259.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hybrid.engine import backend
from hybrid.errors import SettingsError

WITHHELD: Final = "withheld-from-the-review"
"""What stands in place of every secret text."""
WITHHELD_CHANGED: Final = "withheld-from-the-review-and-changed"
"""What stands in place of a secret of the stack file that is another one than at the base."""

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - what marks a secret, not one
_KEYS: Final = ("encryptionsalt", "secretsprovider", "encryptedkey")


@dataclass(frozen=True)
class StateCopy:
    """Where the copy lies. ``withheld``: whether values of secrets are in it."""

    folder: Path
    stack: str
    withheld: bool
    is_new: bool
    """Whether the stack has no state yet."""
    passphrase: str

    @property
    def config_file(self) -> Path:
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def variables(self) -> dict[str, str]:
        """What the engine must be given in place of the team's backend and key."""
        variables = {"PULUMI_BACKEND_URL": self.folder.as_uri()}
        return {**variables, "PULUMI_CONFIG_PASSPHRASE": self.passphrase} if self.withheld else variables


@contextmanager
def state_copy(
    stack: str, exported: Mapping[str, Any] | None, file: str, base_file: str | None, *, withheld: bool
) -> Iterator[StateCopy]:
    """For the time of a ``with``. ``exported`` is what ``pulumi stack export`` says, None: there is no stack yet.
    ``file`` and ``base_file`` are the texts of the stack file, now and at the base (None: there was none).

    Raises ``SettingsError`` for a state or a file that cannot be read.
    """
    deployment = dict((exported or {}).get("deployment") or {})
    if withheld:
        deployment = dict(_without_secrets(deployment))
        deployment.pop("secrets_providers", None)
    with TemporaryDirectory(prefix="hybrid-state-") as name:
        copy = StateCopy(Path(name).resolve(), stack, withheld, not deployment.get("resources"), secrets.token_hex(16))
        state = copy.folder / ".pulumi" / "stacks" / backend.PROJECT / f"{stack}.json"
        state.parent.mkdir(parents=True)
        checkpoint = {"stack": f"organization/{backend.PROJECT}/{stack}", "latest": deployment or None}
        state.write_text(json.dumps({"version": 3, "checkpoint": checkpoint}), encoding="utf-8")
        (copy.folder / ".pulumi" / "meta.yaml").write_text("version: 1\n", encoding="utf-8")
        copy.config_file.write_text(_keyless(file) if withheld else file, encoding="utf-8")
        yield copy


def secret_config(file: str, base_file: str | None) -> dict[str, str]:
    """The encrypted keys of a stack file, each with what stands for its value in a copy without secrets."""
    now, before = _secure(file), _secure(base_file or "")
    return {
        key: WITHHELD if base_file is None or before.get(key, value) == value else WITHHELD_CHANGED
        for key, value in now.items()
    }


def plain_config(file: str) -> dict[str, str]:
    """The other keys of a stack file as a program gets them: structured values as JSON."""
    config = _document(file).get("config") or {}
    return {str(key): _as_text(value) for key, value in dict(config).items() if not _holds_a_secret(value)}


def _as_text(value: Any) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case bool() | list() | dict():
            return json.dumps(value, default=str)
    return str(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET:
            return {_SIGNATURE: _SECRET, "plaintext": _stand_in(str(value.get("ciphertext", "")))}
        return {key: _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value


def _stand_in(ciphertext: str) -> str:
    """JSON in place of what the ciphertext hides. Providers mark properties as secret that nobody has set; as anything
    but nothing they would differ from the program's. Its length tells: the cipher, AES-GCM, adds 16 bytes
    (sdk/go/common/resource/config/crypt.go)."""
    version, _, rest = ciphertext.partition(":")
    try:
        length = len(base64.b64decode(rest.partition(":")[2], validate=True)) - 16 if version == "v1" else None
    except (binascii.Error, ValueError):
        length = None
    return {2: '""', 4: "null"}.get(length or 0, json.dumps(WITHHELD))


def _secure(text: str) -> dict[str, str]:
    """By full key, the ciphertext; of a structured value that holds secrets its whole JSON."""
    config = _document(text).get("config") or {}
    return {
        str(key): json.dumps(value, sort_keys=True) for key, value in dict(config).items() if _holds_a_secret(value)
    }


def _holds_a_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return set(value) == {"secure"} or any(_holds_a_secret(item) for item in value.values())
    return isinstance(value, list) and any(_holds_a_secret(item) for item in value)


def _keyless(text: str) -> str:
    """The stack file without its key and its encrypted values, comments gone."""
    import yaml

    document = _document(text)
    config = {key: value for key, value in dict(document.get("config") or {}).items() if not _holds_a_secret(value)}
    kept = {key: value for key, value in document.items() if key not in _KEYS}
    stream = io.StringIO()
    yaml.safe_dump({**kept, "config": config}, stream, sort_keys=False, allow_unicode=True)
    return stream.getvalue()


def _document(text: str) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(text) if text.strip() else {}
    except yaml.YAMLError as error:
        raise SettingsError("The stack file is not YAML.", why=str(error), next_step="mend the file.") from None
    if not isinstance(document, dict) or not isinstance(document.get("config") or {}, dict):
        raise SettingsError("The stack file has no `config:` with keys below it.", next_step="mend the file.")
    return document
