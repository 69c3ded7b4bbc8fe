"""A machine made of folders and answers: nothing is run, no network is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hybrid.toolchain.machine import Answer, Machine

Answering = Callable[[Sequence[str], Path | None], Answer]


@dataclass
class StrictRunner:
    """Answers the commands it was told of, by the program's name and what follows; any other fails the test."""

    answers: dict[tuple[str, ...], Answering] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    def tell(self, *begins: str, answer: Answer | Answering) -> None:
        self.answers[begins] = answer if callable(answer) else lambda _command, _folder: answer

    def __call__(
        self, command: Sequence[str], environ: Mapping[str, str], *, folder: Path | None = None, seconds: float
    ) -> Answer:
        named = (Path(command[0]).name, *command[1:])
        self.asked.append(list(named))
        self.environments.append(environ)
        for begins, answer in self.answers.items():
            if named[: len(begins)] == begins:
                return answer(command, folder)
        raise AssertionError(f"nobody expected {' '.join(named)}")


@dataclass
class World:
    """``path`` is the one folder on PATH, ``tools`` the folder for tools."""

    path: Path
    tools: Path
    runner: StrictRunner
    reason: str | None = "no such host"
    reports: list[str] = field(default_factory=list)

    @property
    def machine(self) -> Machine:
        return Machine(
            environ={"PATH": str(self.path), "GOFLAGS": "-buildvcs=false", "GOOS": "plan9"},
            tools=self.tools,
            run=self.runner,
            unreachable=lambda _url, _seconds: self.reason,
            more_folders=(),
        )

    def program(self, folder: Path, name: str) -> Path:
        """An executable that nobody runs."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / name
        file.write_text("#!/bin/sh\nexit 99\n")
        file.chmod(0o755)
        return file

    def pulumi_on_path(self, version: str, *, host: bool = True) -> Path:
        executable = self.program(self.path, "pulumi")
        if host:
            self.program(self.path, "pulumi-language-python")
        self.runner.tell("pulumi", "version", answer=Answer(0, f"{version}\n"))
        return executable

    def kept(self, version: str, record: str = '{"origin": "download"}') -> Path:
        """A version among the tools."""
        folder = self.tools / "pulumi" / version
        self.program(folder / "bin", "pulumi")
        self.program(folder / "bin", "pulumi-language-python")
        (folder / "installed.json").write_text(record)
        return folder / "bin" / "pulumi"

    def go(self, version: str = "1.26.0", toolchain: str = "local") -> None:
        """A Go whose builds and modules succeed."""
        self.program(self.path, "go")
        said = f'{{"GOVERSION": "go{version}", "GOTOOLCHAIN": "{toolchain}"}}'
        self.runner.tell("go", "env", answer=Answer(0, said))
        self.runner.tell("go", "build", answer=_compile)
        self.runner.tell("go", "mod", "download", answer=self._fetch)

    def _fetch(self, _command: Sequence[str], folder: Path | None) -> Answer:
        assert folder is not None, "a module is fetched within the recipe that pins it"
        assert (folder / "go.sum").exists(), "without go.sum what is fetched is not verified"
        module = self.tools.parent / "modules"
        for script in ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"):
            (module / script).parent.mkdir(parents=True, exist_ok=True)
            (module / script).write_text(f"{folder.name}\n")
        for name in ("schema", "terraform-mapping"):
            place = module / "cmd" / "pulumi-resource-kubernetes"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{name}.json").write_text(f'{{"name": "{name}"}}')
        return Answer(0, f'{{"Dir": "{module}"}}')


def _compile(command: Sequence[str], folder: Path | None) -> Answer:
    assert folder is not None, "a build has a throw-away module of its own"
    assert (folder / "go.sum").exists(), "without go.sum what is fetched is not verified"
    Path(command[command.index("-o") + 1]).write_text("compiled")
    return Answer(0, "")


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "path").mkdir()
    return World(path=tmp_path / "path", tools=tmp_path / "tools", runner=StrictRunner())
