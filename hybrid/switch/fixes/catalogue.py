"""Which fix is for which finding; all of them together, each laid over what those before it propose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hybrid.switch.finding import Finding, FindingKind
from hybrid.switch.fixes.build_files import fix_executable_path, fix_legacy_file
from hybrid.switch.fixes.dockerfile_from_hooks import fix_hooks
from hybrid.switch.fixes.dockerfile_from_pex import fix_pex_build
from hybrid.switch.fixes.executors import fix_non_isolated_runs
from hybrid.switch.fixes.fix import Contents, Fix, ProposedFile, Texts, Wishes, folder_of
from hybrid.switch.fixes.stored_values import fix_default_io_manager
from hybrid.switch.fixes.variables import fix_secret, fix_serverless_variable
from hybrid.switch.fixes.words import fix_by_words
from hybrid.switch.fixes.workflow import fix_workflow

_Fixing = Callable[[Finding, Contents, Wishes], Fix]

_FIXES: Final[dict[FindingKind, _Fixing]] = {
    FindingKind.PEX_BUILD: lambda finding, contents, _: fix_pex_build(finding, contents),
    FindingKind.NO_IMAGE: lambda finding, contents, _: fix_pex_build(finding, contents),
    FindingKind.DOCKER_HOOKS: lambda finding, contents, _: fix_hooks(finding, contents),
    FindingKind.EXECUTABLE_PATH: lambda finding, contents, _: fix_executable_path(finding, contents),
    FindingKind.LEGACY_FILE: fix_legacy_file,
    FindingKind.SERVERLESS_WORKFLOW: fix_workflow,
    FindingKind.DEFAULT_IO_MANAGER: fix_default_io_manager,
    FindingKind.SERVERLESS_VARIABLE: lambda finding, contents, _: fix_serverless_variable(finding),
    FindingKind.NON_ISOLATED_RUNS: fix_non_isolated_runs,
    FindingKind.SECRET: lambda finding, contents, wishes: fix_secret(finding, wishes),
}
_DOCKERFILES: Final = (FindingKind.DOCKER_HOOKS, FindingKind.PEX_BUILD, FindingKind.NO_IMAGE)


@dataclass(frozen=True, slots=True)
class Fixes:
    """All fixes, and the files that they come to, each path once."""

    fixes: tuple[Fix, ...]
    files: tuple[ProposedFile, ...]


def fixes_for(findings: Sequence[Finding], contents: Contents, wishes: Wishes) -> Fixes:
    """A fix for each finding, in its order. Hooks come before executables: a folder that has hooks gets the Dockerfile
    that runs them, and findings that would write it again name that one."""
    files: dict[str, ProposedFile] = {}
    made: dict[int, Fix] = {}
    said: set[str] = set()
    order = sorted(range(len(findings)), key=lambda number: findings[number].kind is not FindingKind.DOCKER_HOOKS)
    for number in order:
        finding = _with_neighbours(findings[number], findings)
        over = Texts({path: each.text for path, each in files.items()}, contents)
        fixing = _FIXES.get(finding.kind)
        fix = fixing(finding, over, wishes) if fixing else fix_by_words(finding)
        taken = {each.path for each in fix.files if each.before is None and each.path in files}
        fix = replace(
            fix,
            files=tuple(each for each in fix.files if each.path not in taken),
            by_hand=tuple(each for each in fix.by_hand if each not in said),
        )
        said |= set(fix.by_hand)
        for each in fix.files:
            earlier = files.get(each.path)
            files[each.path] = replace(each, before=earlier.before) if earlier else each
        made[number] = fix
    return Fixes(tuple(made[number] for number in sorted(made)), tuple(files[path] for path in sorted(files)))


def _with_neighbours(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """With the facts that other findings have of the same image: its base, its interpreter."""
    facts = dict(finding.facts)
    if finding.kind is FindingKind.EXECUTABLE_PATH:
        built = {other.kind for other in findings if other.location == finding.location}
        return replace(finding, facts=facts | ({"pex": "true"} if FindingKind.PEX_BUILD in built else {}))
    if finding.kind not in _DOCKERFILES:
        return finding
    for other in findings:
        is_same = other.location in (None, finding.location) or folder_of(other) == folder_of(finding)
        if not is_same:
            continue
        if other.kind is FindingKind.BASE_IMAGE:
            facts.setdefault("base_image", other.facts.get("image", ""))
        if other.kind is FindingKind.EXECUTABLE_PATH and other.location == finding.location:
            facts.setdefault("executable_path", other.facts.get("executable_path", ""))
    return replace(finding, facts={name: value for name, value in facts.items() if value})
