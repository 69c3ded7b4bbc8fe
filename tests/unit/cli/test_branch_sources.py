"""What the locations of a branch deployment run from: whose image is taken, whose is built, and that nothing is built
before the gate has passed. Registry, engine and gate are stand-ins; tests/docker has the real ones."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from hybrid.cli.branch.sources import Sources
from hybrid.cli.locations import check
from hybrid.cli.locations.images import ImageVerdict
from hybrid.delivery.gate.findings import Finding
from hybrid.delivery.images.builder import PublishedImage
from hybrid.delivery.images.errors import BuildFailed
from hybrid.engine.stack import Stack
from hybrid.errors import SettingsError
from hybrid.pipeline.sent_code import SentCode
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit

REGISTRY = "127.0.0.1:5000/acme"
SETTINGS = """\
config:
  hybrid:agent: {kind: docker, branchDeployments: true}
  hybrid:registry: {address: "127.0.0.1:5000/acme"}
"""


def image(name: str, letter: str) -> str:
    return f"{REGISTRY}/{name}@sha256:{letter * 64}"


BASE = {name: {"location_name": name, "image": image(name, "a")} for name in ("alpha", "beta")}


@dataclass
class Images:
    """What a registry and an engine would answer. ``known``: images that the registry has, by location."""

    known: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    fault: BuildFailed | None = None

    def verdict(self, folder: Any, now: str | None) -> ImageVerdict:
        self.asked.append(folder.name)
        there = self.known.get(folder.name)
        return ImageVerdict(now, there or f"{REGISTRY}/{folder.name}:tag", there is None, "because")

    def publish(self, folder: Any, say: Any) -> PublishedImage:
        if self.fault:
            raise self.fault
        self.published.append(folder.name)
        return PublishedImage(image(folder.name, "b"), "tag", "sha256:" + "b" * 64, built=True)

    def stop(self) -> None:
        return None


class Checkout:
    """A repository with the stack ``dock`` and two locations, on a branch that has left ``main``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("stacks/Pulumi.dock.yaml", SETTINGS)
        for name in ("alpha", "beta"):
            self.write(f"locations/{name}/src/{name}/definitions.py", "")
            self.write(
                f"locations/{name}/pyproject.toml",
                f'[project]\nname = "{name}"\nversion = "1"\n'
                'dependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]\n'
                f'[tool.dg.project]\nroot_module = "{name}"\n',
            )
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit()
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("checkout", "--quiet", "-b", "feature")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def git(self, *arguments: str) -> None:
        named = ["-c", "user.name=author", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *named, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")

    def sources(self, images: Images, base: Any = None) -> Sources:
        workspace = Workspace(self.root)
        code = SentCode(self.root / "sent", "x")
        made = Sources(workspace, Stack.read(workspace, "dock"), BASE if base is None else base, {}, code, "main")
        made.images = images  # type: ignore[assignment]
        return made


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Which locations were checked, and which of them do not pass."""
    seen = SimpleNamespace(checked=[], wrong=set(), images=None)

    def run(self: check.Checks, folders: Any) -> list[check.Checked]:
        assert seen.images is None or not seen.images.published, "it is checked before it is built"
        seen.checked += [folder.name for folder in folders]
        finding = Finding("alpha", "error", None, "no module named pandas", "add it")
        return [check.Checked(each.name, [finding] if each.name in seen.wrong else [], 0.1) for each in folders]

    monkeypatch.setattr(check.Checks, "run", run)
    return seen


def origins(sources: Sources) -> dict[str, tuple[str, str | None]]:
    return {each.name: (each.origin, each.image) for each in sources.wanted()}


def test_what_the_change_touches_is_built_and_the_rest_is_the_full_deployments(checkout: Checkout, gate: Any) -> None:
    checkout.write("locations/beta/src/beta/definitions.py", "# changed")
    checkout.commit()
    images = gate.images = Images()
    assert origins(checkout.sources(images)) == {
        "alpha": ("base", image("alpha", "a")),
        "beta": ("built", image("beta", "b")),
    }
    assert (gate.checked, images.published, images.asked) == (["beta"], ["beta"], ["beta"])


def test_a_touched_location_whose_content_is_known_is_not_built(checkout: Checkout, gate: Any) -> None:
    for name in ("alpha", "beta"):
        checkout.write(f"locations/{name}/README.md", "x")
    checkout.commit()
    images = Images(known={"alpha": image("alpha", "c"), "beta": image("beta", "a")})
    assert origins(checkout.sources(images)) == {
        "alpha": ("present", image("alpha", "c")),
        "beta": ("base", image("beta", "a")),
    }
    assert (gate.checked, images.published) == ([], [])


def test_a_change_of_the_stacks_file_and_a_shallow_clone_leave_it_to_the_content(checkout: Checkout, gate: Any) -> None:
    checkout.write("stacks/Pulumi.dock.yaml", SETTINGS + "  hybrid:images: {pythonImage: 'python:3.13'}\n")
    checkout.commit()
    images = Images(known={"alpha": image("alpha", "c")})
    assert origins(checkout.sources(images)) == {
        "alpha": ("present", image("alpha", "c")),
        "beta": ("built", image("beta", "b")),
    }
    checkout.git("update-ref", "-d", "refs/remotes/origin/main")
    assert checkout.sources(images)._touched is None


@pytest.mark.parametrize("base", [{}, {"alpha": {"image": f"{REGISTRY}/alpha:latest"}}, {"alpha": {"image": 7}}])
def test_without_an_image_by_digest_in_the_full_deployment_its_content_decides(
    checkout: Checkout, gate: Any, base: Any
) -> None:
    assert origins(checkout.sources(Images(), base))["alpha"] == ("built", image("alpha", "b"))


def test_a_pin_of_the_full_deployment_does_not_hold_back_the_change(checkout: Checkout, gate: Any) -> None:
    checkout.write("stacks/Pulumi.dock.yaml", SETTINGS + f"  hybrid:pins: {{alpha: '{image('alpha', 'a')}'}}\n")
    sources = checkout.sources(Images())
    assert sources.stack.who.settings.pins, "the stack has it"
    workspace = Workspace(checkout.root)
    real = Sources(workspace, Stack.read(workspace, "dock"), BASE, {}, sources.code, "main").images
    assert not real._stack.who.settings.pins, "and the images of the branch do not"


def test_what_the_gate_finds_ends_it_before_anything_is_built(checkout: Checkout, gate: Any) -> None:
    gate.wrong = {"alpha"}
    images = Images()
    with pytest.raises(SettingsError, match="pandas") as refused:
        checkout.sources(images, {}).wanted()
    assert images.published == []
    assert "hybrid locations check dock alpha" in (refused.value.next_step or "")


def test_a_build_that_fails_ends_with_its_code_and_its_words(
    checkout: Checkout, gate: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    images = Images(fault=BuildFailed("The Dockerfile failed.", why="the reason"))
    with pytest.raises(typer.Exit) as ended:
        checkout.sources(images, {}).wanted()
    assert ended.value.exit_code == 1
    assert "the reason" in capsys.readouterr().err


def test_a_document_is_the_one_that_up_sends(checkout: Checkout, gate: Any) -> None:
    checkout.write("locations/alpha/container_context.yaml", "docker: {env_vars: [STAGE=dev]}\necs: {cpu: '1'}\n")
    checkout.commit()
    (alpha, _) = checkout.sources(Images()).wanted()
    assert alpha.document["container_context"] == {"docker": {"env_vars": ["STAGE=dev"]}}, "of its own platform alone"
    assert alpha.document["image"] == alpha.image


def test_code_of_a_branch_deployment_is_not_told_where_production_s_values_lie(checkout: Checkout, gate: Any) -> None:
    values = "  hybrid:assetValues: {ioManager: true, bucket: acme-values}\n"
    checkout.write("stacks/Pulumi.dock.yaml", SETTINGS + values)
    checkout.commit()
    sources = checkout.sources(Images())
    assert "ASSET_VALUES" not in str([each.document for each in sources.wanted()]), "it would write over them"
    (folder, _) = sources.stack.folders
    assert "ASSET_VALUES" in str(sources.stack.document(folder, image="image")), "the full deployment's is told"
