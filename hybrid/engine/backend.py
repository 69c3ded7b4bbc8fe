"""Where Pulumi keeps state and with what secrets: the environment that every call of the CLI gets.

What the person has set wins: ``PULUMI_BACKEND_URL``, ``PULUMI_CONFIG_PASSPHRASE``, ``PULUMI_CONFIG_PASSPHRASE_FILE``.
Without them state is a folder of this checkout and its secrets are encrypted with a passphrase made on first use.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hybrid.errors import SettingsError
from hybrid.toolchain import Pulumi
from hybrid.workspace import Workspace

PROJECT: Final = "hybrid"

_OWN_SECRETS: Final = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def variables(workspace: Workspace, stack: str, pulumi: Pulumi, given: Mapping[str, str]) -> dict[str, str]:
    """What a shell or a subprocess must have beyond ``given`` so that ``pulumi`` works in this checkout."""
    additions = {
        "PATH": os.pathsep.join([str(workspace.virtualenv / "bin"), str(pulumi.bin_folder), given.get("PATH", "")]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if "PULUMI_BACKEND_URL" not in given:
        additions["PULUMI_BACKEND_URL"] = workspace.state.as_uri()
    if is_personal(workspace, stack) and not _has_passphrase(given):
        additions["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(workspace.passphrase)
    if pulumi.origin == "build":
        # Pulumi's servers were out of reach when it was built: looking plugins up there costs seconds and finds nothing
        additions["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
        # Its Python host asks pip for every Pulumi package that is installed, and the engine would look for the plugins
        # of all, also of platforms that the stack has not. What a program uses it names itself.
        additions["PIP_PATH"] = str(workspace.stack_files)
    return additions


def environment(workspace: Workspace, stack: str, pulumi: Pulumi, given: Mapping[str, str]) -> dict[str, str]:
    """``given`` with ``variables``, and without what must not reach agents and servers."""
    merged = {**given, **variables(workspace, stack, pulumi, given)}
    merged.pop("PYTHONDONTWRITEBYTECODE", None)
    return merged


def prepare(workspace: Workspace, stack: str, given: Mapping[str, str]) -> None:
    """Make what the first use of a stack needs: the state's folder; for a personal one its passphrase and its file.

    Raises ``SettingsError`` when the folder cannot be written, the stack has no file, or a team's stack has no key
    for its secrets that the team shares.
    """
    file = workspace.stack_file(stack)
    try:
        workspace.private.mkdir(mode=0o700, exist_ok=True)
        if "PULUMI_BACKEND_URL" not in given:
            workspace.state.mkdir(exist_ok=True)
        if is_personal(workspace, stack):
            _prepare_personal(workspace, stack, file, given)
    except OSError as error:
        raise SettingsError(
            f"{error.filename or workspace.private} cannot be written.",
            why=error.strerror or str(error),
            next_step="free disk space or mend the folder's permissions, then run the command again.",
        ) from None
    if not file.exists():
        raise SettingsError(
            f"There is no stack '{stack}'.",
            why=f"stacks/{file.name} does not exist.",
            next_step="`hybrid up local` makes the local one; for others write that file (docs/settings.md).",
        )
    if not is_personal(workspace, stack):
        require_shared_key(file, given)


def is_personal(workspace: Workspace, stack: str) -> bool:
    """Whether the stack is this machine's own: its file is made from a committed example and not committed itself
    (docs/adr/0003-the-local-stack-file-is-personal.md)."""
    return workspace.stack_example(stack).is_file()


def _prepare_personal(workspace: Workspace, stack: str, file: Path, given: Mapping[str, str]) -> None:
    if not _has_passphrase(given) and _make_passphrase(workspace.passphrase):
        for personal in workspace.stack_files.glob("*.example.yaml"):
            _forget_salt(workspace.stack_file(personal.name.removesuffix(".example.yaml")))
    if not file.exists():
        _write_atomically(file, workspace.stack_example(stack).read_text(encoding="utf-8"))


def require_shared_key(file: Path, given: Mapping[str, str]) -> None:
    """Raises ``SettingsError`` when a team's stack has no key that the team shares: a passphrase of one person's
    machine would lock the others out of the stack's secrets."""
    has_provider = any(line.startswith("secretsprovider:") for line in file.read_text(encoding="utf-8").splitlines())
    is_pulumi_cloud = given.get("PULUMI_BACKEND_URL", "").startswith("https://")
    if not (has_provider or is_pulumi_cloud or _has_passphrase(given)):
        raise SettingsError(
            f"The stack of {file.name} has no key for its secrets that a team can share.",
            next_step="set PULUMI_CONFIG_PASSPHRASE to one that the team keeps, or name a key in the file, as in "
            "`secretsprovider: awskms://alias/pulumi`.",
        )


def _has_passphrase(given: Mapping[str, str]) -> bool:
    return any(name in given for name in _OWN_SECRETS)


def state_file(workspace: Workspace, stack: str, given: Mapping[str, str]) -> Path | None:
    """The file that holds a stack's state, or None when another backend holds it."""
    if given.get("PULUMI_BACKEND_URL", workspace.state.as_uri()) != workspace.state.as_uri():
        return None
    return workspace.state / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"


def locks_folder(workspace: Workspace, stack: str) -> Path:
    """Where the file backend keeps its locks (pulumi pkg/backend/diy/lock.go)."""
    return workspace.state / ".pulumi" / "locks" / "organization" / PROJECT / stack


def _make_passphrase(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    return True


def _forget_salt(file: Path) -> None:
    """A salt belongs to the passphrase it was made with; with a new passphrase Pulumi must make a new one."""
    if not file.exists():
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("encryptionsalt:")]
    if kept != lines:
        _write_atomically(file, "".join(kept))


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
