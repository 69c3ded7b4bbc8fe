"""Whether a location's definitions load: ``dagster definitions validate`` with the location's own interpreter."""

from __future__ import annotations

import json
import re
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hybrid.delivery.gate import user_code
from hybrid.delivery.gate.findings import Finding
from hybrid.delivery.gate.hints import next_step, variable_read
from hybrid.delivery.virtualenv import Wait

SECONDS: Final = 120.0
"""How long loading may take: an agent gives a code server 180 s by default to start and load."""

_TRACE_LINES: Final = 40
_FAILED: Final = "Validation failed for code location"
_PASSED: Final = "All code locations passed validation"
_CAUSE: Final = re.compile(
    r"\n*The above exception (?:was caused by|occurred during handling of) the following exception:\n"
)
_HIDDEN: Final = re.compile(r"\s*\[\d+ dagster system frames hidden.*\]")
_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+)')
_TARGETS: Final = {
    "module_name": ("python_module", "module_name"),
    "package_name": ("python_package", "package_name"),
    "python_file": ("python_file", "relative_path"),
    "autoload_defs_module_name": ("autoload_defs_module", "module_name"),
}
"""Keys of a location's ``code_source``, and those of a workspace file for the same (dagster/_core/workspace/
config_schema.py)."""


@dataclass(frozen=True)
class LoadedCode:
    """What to load, with what."""

    name: str
    folder: Path
    python: Path
    """The interpreter of the location's environment, by its path there."""
    working_directory: Path
    code_source: Mapping[str, str]
    attribute: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the code may read while it is loaded; nothing else of the caller's environment is there."""
    withheld: frozenset[str] = frozenset()
    """Variables that the code will have and the check has not, such as secrets. Code that stops for lack of one gets a
    warning: nobody knows whether it loads."""

    @property
    def target(self) -> str:
        """The module, package or file, as people call it."""
        return next(iter(self.code_source.values()), "")


def check_definitions(code: LoadedCode, *, seconds: float = SECONDS, wait: Wait = time.sleep) -> list[Finding]:
    """What stops the definitions from loading. It runs the location's code, and nothing of it stays but bytecode."""
    with tempfile.TemporaryDirectory(prefix="hybrid-check-") as home:
        # telemetry is a call to the network that nobody asked for
        Path(home, "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
        workspace = Path(home, "workspace.yaml")
        workspace.write_text(json.dumps({"load_from": [_load_from(code)]}), encoding="utf-8")
        environment = {**user_code.variables(code.python, code.variables), "DAGSTER_HOME": home}
        command = [*_dagster(code.python), "definitions", "validate", "-w", str(workspace), "--log-format", "json"]
        begun = time.monotonic()
        ended = user_code.run(command, folder=code.folder, environment=environment, seconds=seconds, wait=wait)
    return _judged(code, ended, took=time.monotonic() - begun)


def _dagster(python: Path) -> list[str]:
    script = python.with_name("dagster")
    # `-m` would put the working directory first on the import path, as no code server does
    return [str(script)] if script.exists() else [str(python), "-m", "dagster"]


def _load_from(code: LoadedCode) -> dict[str, Any]:
    ((kind, value),) = code.code_source.items()
    target, key = _TARGETS[kind]
    if kind == "python_file":
        bases = (code.folder, code.working_directory)
        value = str(next((base / value for base in bases if (base / value).exists()), value))
    said = {key: value, "working_directory": str(code.working_directory), "location_name": code.name}
    return {target: {**said, "attribute": code.attribute} if code.attribute else said}


def _judged(code: LoadedCode, ended: user_code.Ended, *, took: float) -> list[Finding]:
    events = _events(ended.output)
    failed = [event for event in events if event.startswith(_FAILED)]
    if failed:
        return [_not_loaded(code, event) for event in failed]
    if ended.code == 0 and any(_PASSED in event for event in events):
        return []
    if ended.code is None:
        what = f"`{code.target}` was not loaded after {took:.0f} s, and was stopped."
        step = "loading must not wait: move calls to networks and large reads from import into assets and resources."
    elif ended.code < 0:
        what = f"`{code.target}` was not loaded: its interpreter was ended by {signal.Signals(-ended.code).name}."
        step = "look for what takes so much memory, or for the native library that fails."
    elif "No such command" in ended.output:
        said = "This dagster has no `definitions validate`: whether the definitions load is not known."
        return [Finding(code.name, "warning", None, said, "use dagster 1.8 or later in the location.")]
    elif ended.code == 0:
        what = f"`{code.target}` ended the interpreter while it was loaded."
        step = "remove the call that ends it, such as sys.exit(), from what runs at import."
    else:
        what, step = f"`{code.target}` does not load.", "mend what the last lines say."
    lines = ended.last_lines()
    return [Finding(code.name, "error", None, f"{what}\n{lines}" if lines else what, step)]


def _events(output: str) -> list[str]:
    """The texts of Dagster's own log lines; the code's prints, which may stand before one on its line, are none."""
    found = []
    for line in output.splitlines():
        begin = line.find('{"event"')
        if begin < 0:
            continue
        try:
            event = json.loads(line[begin:]).get("event")
        except (ValueError, AttributeError):
            continue
        if isinstance(event, str):
            found.append(event)
    return found


def _not_loaded(code: LoadedCode, event: str) -> Finding:
    blocks = [_Block.of(text) for text in _CAUSE.split(event.partition("\n\n")[2])]
    if len(blocks) > 1 and "DagsterImportError" in blocks[0].header:
        blocks = blocks[1:]  # it says only where was looked, in words of another command
    root = blocks[-1]
    trace = "\n".join(block.text for block in blocks).splitlines()
    if len(blocks) == 1:
        trace = trace[1:]  # the header is said above it
    lacking = variable_read(root.header, event)
    return Finding(
        location=code.name,
        severity="warning" if lacking in code.withheld else "error",
        where=_place(code.folder, [block.text for block in blocks]),
        what="\n".join([f"`{code.target}` does not load: {root.header}", *trace[-_TRACE_LINES:]]),
        next_step=next_step(code.folder, code.working_directory, code.target, root.header, event),
    )


@dataclass(frozen=True)
class _Block:
    """One exception of a chain: its first line, and all of it without Dagster's own frames."""

    header: str
    text: str

    @classmethod
    def of(cls, text: str) -> _Block:
        lines = [line for line in text.strip("\n").splitlines() if not _HIDDEN.fullmatch(line)]
        kept = [line for line in lines if line.strip() not in {"", "Stack Trace:"}]
        return cls(header=kept[0].strip() if kept else "no reason is told", text="\n".join(kept))


def _place(folder: Path, texts: list[str]) -> str | None:
    """The last frame in the location's own files, of the innermost exception that has one."""
    for text in reversed(texts):
        for path, line in reversed(_FRAME.findall(text)):
            if Path(path).is_relative_to(folder):
                return f"{folder.parent.name}/{folder.name}/{Path(path).relative_to(folder)}, line {line}"
    return None
