"""The commands of ``hybrid locations`` in a checkout of their own, without an engine: names, files, words, exit codes.
That they build, push and load is shown with real ones (tests/docker/test_locations_images.py, tests/emulated)."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hybrid.cli import main
from hybrid.cli.locations import selection
from hybrid.cli.locations.building import in_parallel
from hybrid.delivery.images.errors import RegistryUnreachable
from hybrid.delivery.images.registry import Registry
from hybrid.errors import DagsterPlusError, HybridError
from tests.unit.cli.location_folders import make_locations

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64
SETTINGS = """\
config:
  hybrid:agent: {kind: docker}
  hybrid:registry: {address: "127.0.0.1:5000/acme"}
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the locations alpha and beta and the stack dock, whose Dagster+ does not stand."""
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.dock.yaml").write_text(SETTINGS)
    make_locations(tmp_path, "alpha", "beta")
    return tmp_path


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["hybrid", "locations", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = capfd.readouterr()
        return Answer(int(ended.value.code or 0), out, err)

    return run


@pytest.mark.parametrize("command", ["list", "diff", "build", "push", "deploy", "pin", "unpin", "dockerfile"])
def test_each_command_s_help_has_an_example(command: str, call: Callable[..., Answer]) -> None:
    answer = call(command, "--help")
    assert answer.code == 0
    assert "Example" in answer.out


def test_a_list_is_given_while_dagster_plus_is_down_and_says_so(call: Callable[..., Answer], root: Path) -> None:
    (root / "stacks" / "Pulumi.dock.yaml").write_text(SETTINGS + f"  hybrid:pins:\n    beta: x.io/b@{DIGEST}\n")
    answer = call("list", "dock", "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["dagster_plus"]["answers"] is False
    assert [(row["name"], row["from"], row["pin"]) for row in document["locations"]] == [
        ("alpha", "locations/alpha", None),
        ("beta", "locations/beta", f"x.io/b@{DIGEST}"),
    ]
    words = call("list", "dock")
    assert "not known" in words.err, "a table of question marks has to be explained"
    assert "alpha.definitions" in words.out


def test_a_difference_needs_dagster_plus(call: Callable[..., Answer]) -> None:
    answer = call("diff", "dock")
    assert answer.code == DagsterPlusError.exit_code
    assert "hybrid up dock" in answer.err


def test_both_ways_of_choosing_at_once_are_refused(call: Callable[..., Answer]) -> None:
    answer = call("push", "dock", "--only", "alpha", "--changed-since", "main")
    assert answer.code == 2
    assert "exclude each other" in answer.err


# Pins


def answering(digest: str | HybridError | None) -> Callable[[Any, str], str | None]:
    def asked(self: Registry, reference: str) -> str | None:
        if isinstance(digest, HybridError):
            raise digest
        return digest

    return asked


def test_a_tag_is_pinned_by_its_digest_and_a_second_time_changes_nothing(
    call: Callable[..., Answer], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "digest", answering(DIGEST))
    file = root / "stacks" / "Pulumi.dock.yaml"
    answer = call("pin", "dock", "alpha", "127.0.0.1:5000/acme/alpha:v1")
    assert answer.code == 0, answer.err
    assert file.read_text() == SETTINGS + f"  hybrid:pins:\n    alpha: 127.0.0.1:5000/acme/alpha@{DIGEST}\n"
    assert "hybrid up dock" in answer.err, "a pin alone changes nothing that runs"
    again = call("pin", "dock", "alpha", "127.0.0.1:5000/acme/alpha:v1", "--json")
    assert json.loads(again.out)["changed"] is False
    assert call("unpin", "dock", "alpha").code == 0
    assert file.read_text() == SETTINGS
    assert "was not pinned" in call("unpin", "dock", "alpha").err


def test_an_image_that_the_registry_does_not_have_is_not_pinned(
    call: Callable[..., Answer], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "digest", answering(None))
    assert call("pin", "dock", "alpha", f"127.0.0.1:5000/acme/alpha@{DIGEST}").code == 2
    assert (root / "stacks" / "Pulumi.dock.yaml").read_text() == SETTINGS


def test_with_the_registry_down_a_digest_is_pinned_and_a_tag_is_not(
    call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "digest", answering(RegistryUnreachable("It does not answer.")))
    assert call("pin", "dock", "alpha", "127.0.0.1:5000/acme/alpha:v1").code == 1, "which image that is nobody knows"
    answer = call("pin", "dock", "alpha", f"127.0.0.1:5000/acme/alpha@{DIGEST}")
    assert answer.code == 0, "going back has to work in an outage"
    assert "was not asked" in answer.err


@pytest.mark.parametrize("image", ["-x", "a b", "x@sha256:12", "a\nb: c", "$(id)"])
def test_what_is_no_image_is_not_pinned(image: str, call: Callable[..., Answer], root: Path) -> None:
    assert call("pin", "dock", "--", "alpha", image).code in {2, 3}
    assert (root / "stacks" / "Pulumi.dock.yaml").read_text() == SETTINGS


def test_without_an_image_what_is_loaded_is_pinned(
    call: Callable[..., Answer], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Plus:
        def __enter__(self) -> Plus:
            return self

        def __exit__(self, *_: object) -> None: ...

        def code_locations(self) -> list[Any]:
            return [SimpleNamespace(name="alpha", loaded_image=f"x.io/acme/alpha@{DIGEST}")]

    monkeypatch.setattr(selection, "client", lambda stack: Plus())
    monkeypatch.setattr(Registry, "digest", answering(DIGEST))
    assert call("pin", "dock", "alpha").code == 0
    assert f"alpha: x.io/acme/alpha@{DIGEST}" in (root / "stacks" / "Pulumi.dock.yaml").read_text()
    nothing = call("pin", "dock", "beta")
    assert nothing.code == 2
    assert "hybrid locations pin dock beta IMAGE" in nothing.err, "the call that works is shown"


def test_a_pin_of_a_location_that_is_gone_can_be_taken_out(call: Callable[..., Answer], root: Path) -> None:
    file = root / "stacks" / "Pulumi.dock.yaml"
    file.write_text(SETTINGS + f"  hybrid:pins:\n    gone: x.io/gone@{DIGEST}\n")
    assert call("list", "dock").code == 3, "such a pin stops every other command"
    assert call("unpin", "dock", "gone").code == 0
    assert file.read_text() == SETTINGS


def test_an_unknown_name_is_not_pinned_and_not_unpinned(call: Callable[..., Answer]) -> None:
    for answer in (call("pin", "dock", "alhpa", "x:1"), call("unpin", "dock", "alhpa")):
        assert answer.code == 2
        assert "did you mean alpha?" in answer.err


# Dockerfiles


def test_a_dockerfile_is_printed_and_written_only_where_there_is_none(call: Callable[..., Answer], root: Path) -> None:
    path = root / "locations" / "alpha" / "Dockerfile"
    printed = call("dockerfile", "dock", "alpha")
    assert "ARG PYTHON_IMAGE" in printed.out
    assert not path.exists(), "printing writes nothing"
    assert call("dockerfile", "dock", "alpha", "--write").code == 0
    assert path.read_text() == printed.out
    path.write_text("FROM scratch\n")
    again = call("dockerfile", "dock", "alpha", "--write")
    assert path.read_text() == "FROM scratch\n", "a team's own is never overwritten"
    assert "stays as it is" in again.err
    assert call("dockerfile", "dock", "alpha").out == "FROM scratch\n", (
        "the one that is used is the one that is printed"
    )


# Several at once


def located(*names: str) -> list[Any]:
    return [SimpleNamespace(name=name) for name in names]


def test_one_that_fails_does_not_stop_the_others_and_they_run_at_once() -> None:
    both = threading.Barrier(2, timeout=20)

    def one(folder: Any, say: Callable[[str], None]) -> tuple[Any, str]:
        both.wait()
        if folder.name == "alpha":
            raise HybridError("no room.")
        return "built", "ref"

    made = in_parallel(located("alpha", "beta"), one, lambda: None)
    assert [(each.name, each.action) for each in made] == [("alpha", "failed"), ("beta", "built")]


def test_ctrl_c_stops_the_others_before_it_is_passed_on() -> None:
    stopped = threading.Event()

    def one(folder: Any, say: Callable[[str], None]) -> tuple[Any, str]:
        if folder.name == "alpha":
            raise KeyboardInterrupt
        assert stopped.wait(20), "nobody told it to stop"
        raise HybridError("stopped.")

    with pytest.raises(KeyboardInterrupt):
        in_parallel(located("alpha", "beta"), one, stopped.set)


def test_exit_codes_of_failed_images_are_their_errors_own(
    call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(Registry, "digest_once", lambda self, reference: DIGEST)
    answer = call("build", "dock", "--json")
    assert answer.code == 4, "docker is a tool that is missing"
    images = json.loads(answer.out)["images"]
    assert [image["action"] for image in images] == ["failed", "failed"]
