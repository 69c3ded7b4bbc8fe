"""Who may import whom (docs/architecture.md), read from the source. It proves nothing about imports by name at run
time, of which there are none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from agent.spec import SPECS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {"hybrid", "hybrid.__version__", "hybrid.errors", "hybrid.redaction", "hybrid.workspace"}
ROOMS = {
    "stacks": {
        "agent",
        "infra",
        "hybrid.aws",
        "hybrid.azure",
        "hybrid.containers",
        "hybrid.kubernetes",
        "hybrid.provider",
        "hybrid.delivery",
        "hybrid.plus",
        "stacks",
    },
    "agent": {"infra", "hybrid.aws", "hybrid.kubernetes", "hybrid.provider", "agent"},
    "infra": {"infra"},
    "asset_values": {"asset_values"},
    "hybrid.assets": {
        "asset_values",
        "hybrid.assets",
        "hybrid.aws",
        "hybrid.azure",
        "hybrid.delivery",
        "hybrid.plus",
    },
    "hybrid.adopt": {"hybrid.adopt", "hybrid.aws", "hybrid.delivery", "hybrid.kubernetes", "hybrid.plus"},
    "hybrid.aws": {"hybrid.aws"},
    "hybrid.azure": {"hybrid.azure"},
    "hybrid.kubernetes": {"hybrid.kubernetes"},
    "hybrid.costs": {"hybrid.costs"},
    "hybrid.plus": {"hybrid.plus"},
    "hybrid.containers": {"hybrid.containers"},
    "hybrid.delivery": {"hybrid.aws", "hybrid.azure", "hybrid.delivery", "hybrid.containers", "hybrid.kubernetes"},
    "hybrid.provider": {
        "hybrid.aws",
        "hybrid.azure",
        "hybrid.containers",
        "hybrid.delivery",
        "hybrid.kubernetes",
        "hybrid.plus",
        "hybrid.provider",
    },
    "hybrid.emulator": {"hybrid.emulator"},
    "hybrid.toolchain": {"hybrid.toolchain", "hybrid.containers"},
    "hybrid.forge": {"hybrid.forge"},
    "hybrid.workflows": {"hybrid.workflows"},
    "hybrid.review": {
        "hybrid.aws",
        "hybrid.delivery",
        "hybrid.engine",
        "hybrid.platforms",
        "hybrid.plus",
        "hybrid.review",
        "hybrid.toolchain",
    },
    "hybrid.pipeline": {
        "hybrid.delivery",
        "hybrid.engine",
        "hybrid.forge",
        "hybrid.pipeline",
        "hybrid.platforms",
        "hybrid.plus",
        "hybrid.review",
        "hybrid.toolchain",
    },
    "hybrid.switch": {
        "hybrid.assets",
        "hybrid.containers",
        "hybrid.delivery",
        "hybrid.engine",
        "hybrid.pipeline",
        "hybrid.plus",
        "hybrid.switch",
        "hybrid.workflows",
    },
    "hybrid.platforms": {
        "agent",
        "hybrid.aws",
        "hybrid.azure",
        "hybrid.containers",
        "hybrid.costs",
        "hybrid.delivery",
        "hybrid.engine",
        "hybrid.kubernetes",
        "hybrid.platforms",
        "hybrid.provider",
        "hybrid.toolchain",
        "stacks",
    },
    "policies": {"policies", "stacks"},
    "hybrid.engine": {
        "hybrid.aws",
        "hybrid.engine",
        "hybrid.delivery",
        "hybrid.provider",
        "hybrid.toolchain",
        "hybrid.plus",
        "stacks",
    },
    "hybrid.cli": {
        "asset_values",
        "hybrid.adopt",
        "hybrid.assets",
        "hybrid.aws",
        "hybrid.cli",
        "hybrid.containers",
        "hybrid.delivery",
        "hybrid.emulator",
        "hybrid.engine",
        "hybrid.forge",
        "hybrid.kubernetes",
        "hybrid.pipeline",
        "hybrid.platforms",
        "hybrid.plus",
        "hybrid.review",
        "hybrid.switch",
        "hybrid.toolchain",
        "hybrid.workflows",
    },
}
INSTALLED_ALONE = {"asset_values"}
"""What code locations install, without the rest of this repository."""
OURS = {"agent", "asset_values", "hybrid", "infra", "policies", "stacks"}
MAY_IMPORT_PULUMI = ("stacks", "agent", "infra", "policies", "hybrid.provider", "hybrid.engine")
MAY_SPEAK_HTTP_TO_DAGSTER_PLUS = ("hybrid.plus",)
MAY_SPEAK_HTTP_TO_REGISTRIES = ("hybrid.delivery.images.transport",)
MAY_SPEAK_HTTP_TO_THE_FORGE = ("hybrid.forge",)
MAY_SPEAK_HTTP_TO_AZURE = ("hybrid.azure",)


def modules() -> list[tuple[str, Path]]:
    found = []
    for package in sorted(OURS):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found.append((name, path))
    return found


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "hybrid" and len(parts) > 1 else parts[0]


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_a_module_imports_only_the_rooms_that_its_own_may(name: str, path: Path) -> None:
    own = room(name)
    if own in KERNEL:
        allowed = KERNEL | {"hybrid"}
    else:
        assert own in ROOMS, f"{own} is a new room: say in ROOMS whom it may import, and in docs/architecture.md"
        allowed = ROOMS[own] if own in INSTALLED_ALONE else ROOMS[own] | KERNEL | {"hybrid"}
    used = {room(module) for module in imports(path) if module.split(".")[0] in OURS}
    assert used - allowed == set(), f"{name} reaches into a room that {own} may not use"


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_pulumi_is_imported_only_where_resources_are_described_or_driven(name: str, path: Path) -> None:
    uses = any(module == "pulumi" or module.startswith("pulumi.") for module in imports(path))
    assert not uses or name.startswith(MAY_IMPORT_PULUMI), f"{name} must not know Pulumi"


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_only_the_plus_room_speaks_to_dagster_plus(name: str, path: Path) -> None:
    clients = {"httpx", "requests", "dagster_cloud_cli.gql"} & imports(path)
    doors = (
        *MAY_SPEAK_HTTP_TO_DAGSTER_PLUS,
        *MAY_SPEAK_HTTP_TO_REGISTRIES,
        *MAY_SPEAK_HTTP_TO_THE_FORGE,
        *MAY_SPEAK_HTTP_TO_AZURE,
    )
    assert not clients or name.startswith(doors), f"{name} uses {clients}: hybrid.plus is the only door to Dagster+"


def test_the_rule_sees_a_forbidden_import(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def late():\n    from stacks.settings import Settings\n    return Settings\n")
    assert "stacks.settings" in imports(module), "an import inside a function is an import"


SEAM = {"hybrid.platforms.choice", "stacks.platform_facts", "stacks.platforms"}
"""Where it is asked on which platform a stack's agent lives, so that nobody else has to."""
_KIND = "|".join(SPECS)
ONE_PLATFORM = re.compile(rf"(agent|infra|stacks|hybrid\.\w+)\.({_KIND})(_\w+)?|hybrid\.({_KIND})(\.\w+)*")
"""Modules of one platform."""
TURNS_ALL_INTO_ONE = {"hybrid.switch.rehearsal", "hybrid.switch.rehearsal_stack"}
"""It makes a local stack of any, and tells what is different then."""
OTHER_WORDS = {"builds", "provider", "scopes", "stack", "words"}
"""What is compared with words that happen to be kinds of agents as well: a stack may be called `local`."""


def platform_questions(path: Path) -> list[str]:
    """Comparisons, matches and type checks by which code asks for the kind of an agent."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Compare():
                sides = [node.left, *node.comparators]
                asked = any(_kinds(side) for side in sides) and not OTHER_WORDS & {_last_name(side) for side in sides}
            case ast.Match():
                patterns = [part for case in node.cases for part in ast.walk(case.pattern)]
                named = any(isinstance(part, ast.MatchValue) and _kinds(part.value) for part in patterns)
                classes = any(isinstance(part, ast.MatchClass) and _is_spec(part.cls) for part in patterns)
                asked = classes or (named and _last_name(node.subject) not in OTHER_WORDS)
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, classinfo]):
                asked = any(_is_spec(part) for part in ast.walk(classinfo))
            case _:
                asked = False
        if asked:
            found.append(ast.unparse(node).splitlines()[0])
    return found


def _kinds(node: ast.expr) -> bool:
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return any(isinstance(part, ast.Constant) and part.value in SPECS for part in parts)


def _is_spec(node: ast.AST) -> bool:
    return _last_name(node) in {spec.__name__ for spec in SPECS.values()}


def _last_name(node: ast.AST) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_only_the_seam_asks_on_which_platform_an_agent_lives(name: str, path: Path) -> None:
    if name in SEAM | TURNS_ALL_INTO_ONE or ONE_PLATFORM.fullmatch(name) or room(name) in INSTALLED_ALONE:
        return
    asked = platform_questions(path)
    assert asked == [], "say it in the settings' class, in hybrid/platforms or in stacks/platform_facts.py instead"


@pytest.mark.parametrize(
    "line",
    [
        "x = settings.agent.kind == 'ecs'",
        "x = kind in {'local', 'docker'}",
        "x = 'ecs' != one.platform",
        "match kind:\n    case 'local' | 'docker':\n        pass",
        "x = isinstance(agent, (str, EcsAgentSpec))",
        "match agent:\n    case DockerAgentSpec() as spec:\n        pass",
    ],
)
def test_the_rule_sees_a_question_for_the_platform(line: str, tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(f"{line}\n")
    assert len(platform_questions(module)) == 1, "a platform's difference has one place"


def test_the_rule_lets_pass_what_only_sounds_alike(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("x = stack == 'local' or 'local' in scopes or kind == 'folder' or name == 'k8s'\n")
    assert platform_questions(module) == []
