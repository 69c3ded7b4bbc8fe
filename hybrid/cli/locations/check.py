"""``hybrid locations check``: the gate without a build, for a person or CI."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json
from hybrid.errors import HybridError, SettingsError, StoppedError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.delivery.gate.check import LocationToCheck
    from hybrid.delivery.gate.findings import Finding
    from hybrid.engine.stack import Stack

_WORKERS = 2  # each runs an interpreter that loads Dagster: 1 to 2 s of one core

Names = Annotated[
    list[str] | None,
    typer.Argument(help="The stack, and its code locations to check. Default: all of local.", metavar="STACK NAME"),
]
Environment = Annotated[
    str | None, typer.Option("--env", metavar="ENV", help="The stack of this environment; every argument is a NAME.")
]
Tests = Annotated[bool, typer.Option("--tests", help="Run the locations' own tests, too.")]


def register(app: typer.Typer) -> None:
    app.command()(check)


def check(names: Names = None, env: Environment = None, tests: Tests = False, as_json: Json = False) -> None:
    """Check code locations as `up` does before it builds: settings, definitions, versions. It runs their code.

    Examples: [bold]hybrid locations check[/]  ·  [bold]hybrid locations check prod hello --tests[/]
    """
    from hybrid.cli.console import answer_json
    from hybrid.engine.stack import Stack

    workspace = Workspace.of_this_checkout()
    name, wanted = _stack_and_names(workspace, names or [], env)
    stack = Stack.read(workspace, name)
    folders = tuple(stack.location(location) for location in dict.fromkeys(wanted)) or stack.folders
    checked = Checks(workspace, stack, tests=tests).run(folders)
    if as_json:
        passed = all(one.passed for one in checked)
        answer_json({"stack": name, "passed": passed, "locations": [one.document() for one in checked]})
    else:
        _print(name, checked)
    if not all(one.passed for one in checked):
        raise typer.Exit(SettingsError.exit_code)


def _stack_and_names(workspace: Workspace, given: Sequence[str], environment: str | None) -> tuple[str, list[str]]:
    from hybrid.engine.stack import environments, stack_names

    if environment is None and not given:
        return "local", []
    stacks = stack_names(workspace)
    if environment is None:
        if given[0] in stacks:
            return given[0], list(given[1:])
        raise UsageError(
            f"There is no stack '{given[0]}'.",
            why=f"The first argument is a stack. There are: {', '.join(stacks) or 'none'}.",
            next_step=f"`hybrid locations check local {shlex.quote(given[0])}` checks a location of that name.",
        )
    of_it = environments(workspace).get(environment, [])
    if len(of_it) == 1:
        return of_it[0], list(given)
    raise UsageError(
        f"{'No stack is' if not of_it else f'{len(of_it)} stacks are'} of the environment '{environment}'.",
        why=f"There are: {', '.join(of_it or stacks) or 'none'}.",
        next_step="name the stack instead of its environment.",
    )


@dataclass(frozen=True)
class Checked:
    """What the gate says of one location."""

    name: str
    findings: list[Finding]
    seconds: float

    @property
    def passed(self) -> bool:
        return all(finding.severity != "error" for finding in self.findings)

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            "findings": [finding.document() for finding in self.findings],
        }


@dataclass
class Checks:
    """The checks of several locations, two at a time. Environments that two of them share are made once.

    ``tests``: whether the locations' own tests are run, too."""

    workspace: Workspace
    stack: Stack
    tests: bool
    stop: threading.Event = field(default_factory=threading.Event)
    environments: dict[Path, threading.Lock] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def run(self, folders: Sequence[CodeLocationFolder]) -> list[Checked]:
        """What the gate says of each, in their order. It runs their code."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_WORKERS) as workers:
            try:
                return list(workers.map(self._one, folders))
            finally:
                self.stop.set()  # after Ctrl-C, else nothing listens any more

    def _one(self, folder: CodeLocationFolder) -> Checked:
        from hybrid.cli.console import note
        from hybrid.delivery.gate.findings import Finding

        begun = time.monotonic()
        try:
            found = self._found(folder)
        except StoppedError:
            raise
        except HybridError as error:
            what = "\n".join(text for text in (error.what, error.why) if text)
            found = [Finding(folder.name, "error", None, what, error.next_step or "mend it.")]
        checked = Checked(folder.name, found, time.monotonic() - begun)
        note(f"{'✓' if checked.passed else '✗'} {folder.name}  {checked.seconds:.1f} s")
        return checked

    def _found(self, folder: CodeLocationFolder) -> list[Finding]:
        from hybrid.cli.console import note
        from hybrid.delivery.gate.check import check_document_of, check_location
        from hybrid.delivery.gate.findings import errors_first
        from hybrid.delivery.gate.location_tests import development_requirements, run_tests

        if folder.kind == "image":
            return check_document_of(self._location(folder, self.workspace.python))
        location = self._location(folder, self._python(folder))
        note(f"… {folder.name}: loading its definitions")
        found = check_location(location, self._wait)
        if self.tests:
            python = self._python(folder, development_requirements(folder.folder))
            note(f"… {folder.name}: running its tests")
            found += run_tests(self._location(folder, python).code, wait=self._wait)
        return errors_first(found)

    def _python(self, folder: CodeLocationFolder, further: tuple[str, ...] = ()) -> Path:
        """The Python of the location's environment, the same as the stack's, made if need be."""
        from hybrid.cli.console import note
        from hybrid.delivery.virtualenv import VirtualEnvironmentSpec, executable_of

        spec = VirtualEnvironmentSpec.of_location(folder, self.workspace, further)
        with self.guard:
            lock = self.environments.setdefault(spec.path, threading.Lock())
        say: Callable[[str], None] = lambda text: note(f"… {folder.name}: {text}")  # noqa: E731
        with lock:
            return executable_of(spec.ensure(say, self._wait))

    def _location(self, folder: CodeLocationFolder, python: Path) -> LocationToCheck:
        from importlib.metadata import version

        from hybrid.delivery.build_files import context_files
        from hybrid.delivery.document import location_document
        from hybrid.delivery.gate.check import LocationToCheck
        from hybrid.delivery.gate.definitions import LoadedCode

        settings = self.stack.who.settings
        in_containers = settings.agent.needs_images
        given = {
            variable.name: variable.value
            for variable in settings.environment_variables
            if not variable.locations or folder.name in variable.locations
        }
        return LocationToCheck(
            code=LoadedCode(
                name=folder.name,
                folder=folder.folder,
                python=python,
                working_directory=folder.working_directory,
                code_source=folder.code_source.document(),
                attribute=folder.attribute,
                variables={name: value for name, value in given.items() if value is not None},
                withheld=frozenset(name for name, value in given.items() if value is None),
            ),
            document=location_document(folder, image=f"{folder.name.lower()}:checked" if in_containers else None),
            agent_version=version("dagster-cloud"),
            platform=settings.agent.kind,
            networks=settings.agent.networks(self.stack.who.stack),
            given=self.stack.given,
            python_image=settings.images.python_image if in_containers else None,
            files=context_files(folder.folder, settings.environment),
        )

    def _wait(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise StoppedError("Stopped before all was checked.", next_step="run the same command again.")


def _print(stack: str, checked: Sequence[Checked]) -> None:
    from rich.text import Text

    from hybrid.cli.console import out

    for one in checked:
        errors = sum(finding.severity == "error" for finding in one.findings)
        counts = [f"{errors} to mend"] if errors else []
        counts += [f"{len(one.findings) - errors} to look at"] if len(one.findings) > errors else []
        mark = Text("✓ ", style="green") if one.passed else Text("✗ ", style="red")
        out.print(mark + Text(one.name, style="bold") + Text(f"  {', '.join(counts) or 'nothing to say'}", style="dim"))
        for finding in one.findings:
            style = "red" if finding.severity == "error" else "yellow"
            out.print(Text(f"  {finding.severity}  ", style=style) + Text(finding.sentence().replace("\n", "\n  ")))
    if not checked:
        out.print(Text(f"The stack '{stack}' has no code location."))
