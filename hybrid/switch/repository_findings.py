"""What follows from the repository's files, with what Dagster+ knows of the same locations: that goes before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hybrid.delivery.images.scaffold import PYTHON_IMAGE
from hybrid.switch.finding import Finding, FindingKind, Weight
from hybrid.switch.organization import FoundLocation, OrganizationState
from hybrid.switch.repository import FolderAssets, FolderLocation, RepositoryState, ServerlessWorkflow, Spot
from hybrid.switch.serverless_words import ON_ECS_TOO, VARIABLES

_SHOWN_LINES: Final = 20
_NO_DOCKERFILE: Final = f"write it a Dockerfile, or `hybrid up` builds it from {PYTHON_IMAGE} and its requirements"


def findings_of_repository(
    organization: OrganizationState | None, repository: RepositoryState | None
) -> Iterator[Finding]:
    """Of a location that the repository does not have only what Dagster+ tells of its build."""
    for location in organization.locations if organization else ():
        if repository is None or repository.location(location.name) is None:
            yield from _build_unseen(location, organization)
    if repository is None:
        return
    for folder in repository.locations:
        found = organization.location(folder.name) if organization else None
        yield from _build(folder, found, organization, repository)
        yield from _files(folder)
        yield from _stored_by(folder, found, repository)
    for workflow in repository.workflows:
        yield _workflow(workflow)
    for image in repository.base_images:
        yield Finding(
            FindingKind.BASE_IMAGE,
            Weight.MUST,
            f"{image.file}:{image.line}",
            f"A base image of your own: {image.value}.",
            "A tag in Serverless's registry cannot be pulled from elsewhere: push that image to your own."
            if image.is_tag
            else "It becomes the FROM of the Dockerfile; whoever builds has to be able to pull it.",
            facts={"tag" if image.is_tag else "image": image.value},
        )
    yield from _code(repository)
    for unread in repository.unread:
        yield Finding(
            FindingKind.UNREADABLE,
            Weight.SHOULD,
            unread.file,
            "It could not be read, so what it says of Serverless is not known.",
            unread.why[:500],
            facts={"file": unread.file},
        )


def _build(
    folder: FolderLocation, found: FoundLocation | None, organization: OrganizationState | None, repo: RepositoryState
) -> Iterator[Finding]:
    """How its image comes about: at most one finding. None for an image that agents can pull, and for a Dockerfile of
    its own of which Dagster+ was not asked."""
    facts = {"folder": folder.folder}
    if folder.requirements:
        facts["requirements"] = ", ".join(folder.requirements)
    python = (found.python_version if found else None) or folder.requires_python
    if python:
        facts["python_version"] = python
    where = f"{folder.file}:{folder.line}"
    if found is not None and found.is_pex:
        yield _pex(folder, where, facts | {"certainty": "known"}, "Serverless runs it from Python executables.")
    elif folder.has_hooks and not folder.dockerfile:
        yield _hooks(folder, where, {key: value for key, value in facts.items() if key != "python_version"})
    elif folder.dockerfile or folder.image:
        if found is not None and _is_of_serverless(found, organization):
            yield _no_image(folder.name, where, facts, found.image, folder.dockerfile)
    elif found is None and "docker" not in repo.builds:
        yield _pex(folder, where, facts | {"certainty": "likely"}, "It is probably run from Python executables.")
    elif found is None or found.image is None or _is_of_serverless(found, organization):
        yield _no_image(folder.name, where, facts, found.image if found else None, None)


def _pex(folder: FolderLocation, where: str, facts: dict[str, str], what: str) -> Finding:
    why = "A Hybrid agent starts an image"
    if folder.has_hooks:
        why += ", and then the hooks beside it would be run, which Python executables never did"
        facts |= {key: path for key, path in (("pre", folder.pre_hook), ("post", folder.post_hook)) if path}
    why += f": {'its Dockerfile builds one' if folder.dockerfile else _NO_DOCKERFILE}."
    return Finding(FindingKind.PEX_BUILD, Weight.MUST, where, what, why, folder.name, facts)


def _hooks(folder: FolderLocation, where: str, facts: dict[str, str]) -> Finding:
    named = {key: path for key, path in (("pre", folder.pre_hook), ("post", folder.post_hook)) if path}
    return Finding(
        FindingKind.DOCKER_HOOKS,
        Weight.MUST,
        where,
        f"Serverless builds its image with {' and '.join(named.values())}.",
        "Only Serverless's own Dockerfile runs these hooks: one of your own has to, in the same order.",
        folder.name,
        facts | named,
    )


def _no_image(name: str, where: str, facts: dict[str, str], image: str | None, dockerfile: str | None) -> Finding:
    kept = {key: facts[key] for key in ("folder", "python_version", "requirements") if key in facts}
    more = {key: value for key, value in (("image", image), ("dockerfile", dockerfile)) if value}
    return Finding(
        FindingKind.NO_IMAGE,
        Weight.MUST,
        where,
        "Its image lies in Serverless's registry." if image else "Nothing here builds an image of its own.",
        ("A Hybrid agent cannot pull from there: " if image else "A Hybrid agent in containers starts an image: ")
        + f"{'build it from its Dockerfile into your registry' if dockerfile else _NO_DOCKERFILE}.",
        name,
        kept | more,
    )


def _build_unseen(location: FoundLocation, organization: OrganizationState | None) -> Iterator[Finding]:
    where = f"code location {location.name}"
    if location.is_pex:
        facts = {"certainty": "known"} | (
            {"python_version": location.python_version} if location.python_version else {}
        )
        yield Finding(
            FindingKind.PEX_BUILD,
            Weight.MUST,
            where,
            "Serverless runs it from Python executables.",
            f"A Hybrid agent starts an image: {_NO_DOCKERFILE}. Look into its repository with --repository.",
            location.name,
            facts,
        )
    elif _is_of_serverless(location, organization):
        yield _no_image(location.name, where, {}, location.image, None)


def _is_of_serverless(location: FoundLocation, organization: OrganizationState | None) -> bool:
    """Whether the document's image lies in Serverless's registry, as far as that is known."""
    registry = organization.serverless.registry if organization and organization.serverless else None
    if location.image is None or registry is None:
        return False
    return re.split(r"[/:@]", location.image)[0] == re.split(r"[/:@]", registry.removeprefix("https://"))[0]


def _files(folder: FolderLocation) -> Iterator[Finding]:
    where = f"{folder.file}:{folder.line}"
    if folder.executable_path:
        yield Finding(
            FindingKind.EXECUTABLE_PATH,
            Weight.SHOULD,
            where,
            f"It names the Python at {folder.executable_path}.",
            "That path has to be in the new image; leave it out where the image's own Python is meant.",
            folder.name,
            {"folder": folder.folder, "executable_path": folder.executable_path},
        )
    if folder.is_legacy:
        yield Finding(
            FindingKind.LEGACY_FILE,
            Weight.KNOW,
            where,
            "A dagster_cloud.yaml describes it.",
            "It is read as it is; `hybrid locations convert` says it as the files of today.",
            folder.name,
            {"folder": folder.folder, "file": folder.file},
        )
    facts = {"folder": folder.folder, "requirements": ", ".join(folder.requirements), "distribution": "dagster-cloud"}
    if folder.names_serverless_extra:
        yield Finding(
            FindingKind.SERVERLESS_LIBRARY,
            Weight.SHOULD,
            folder.requirements[0],
            "It requires dagster-cloud with the extra `serverless`.",
            "On Hybrid the extra does nothing but install what is not used.",
            folder.name,
            {"folder": folder.folder},
        )
    elif folder.names_dagster_cloud is False:
        yield Finding(
            FindingKind.RELEASES,
            Weight.MUST,
            folder.requirements[0],
            "Its requirements do not name dagster-cloud.",
            "Code servers and runs of a Hybrid agent need it in the image; a Python executable on Serverless may have "
            "got it from elsewhere.",
            folder.name,
            facts,
        )


def _stored_by(folder: FolderLocation, found: FoundLocation | None, repository: RepositoryState) -> Iterator[Finding]:
    assets = next((each for each in repository.assets if each.folder == folder.folder), None)
    known = found.has_own_io_manager if found else None
    if known is True or (known is None and assets is not None and assets.definitions == "own"):
        return
    if found is not None and found.assets == 0:
        return
    count = found.assets if found and found.assets is not None else None
    if assets is not None and not (assets.by_default or assets.unknown or count):
        return
    is_known = known is False and assets is not None and assets.by_default > 0
    certainty = "known" if is_known else "likely" if _is_likely(assets, known) else "unknown"
    spot = assets.first if assets else None
    facts = {"folder": folder.folder, "certainty": certainty}
    if assets is not None and assets.by_default:
        facts["assets"] = str(assets.by_default)
    yield Finding(
        FindingKind.DEFAULT_IO_MANAGER,
        Weight.MUST if certainty != "unknown" else Weight.SHOULD,
        f"{spot.file}:{spot.line}" if spot else f"{folder.file}:{folder.line}",
        _stored_words(assets, certainty),
        "On Serverless that is its own storage, on Hybrid each run's own disk, which is gone with it: set "
        "`hybrid:assetValues.ioManager` in the stack file, or name an IO manager in the code.",
        folder.name,
        facts,
    )


def _is_likely(assets: FolderAssets | None, known: bool | None) -> bool:
    return known is False or (assets is not None and assets.by_default > 0 and assets.definitions != "unknown")


def _stored_words(assets: FolderAssets | None, certainty: str) -> str:
    if certainty == "unknown":
        return "Which IO manager stores its assets cannot be told from its files."
    if assets is None or not assets.by_default:
        return "No resource `io_manager` of its own is there: what names no IO manager is stored by the default one."
    may = "are" if certainty == "known" else "are probably"
    return f"{assets.by_default} of the assets in its files {may} stored by the default IO manager."


def _workflow(workflow: ServerlessWorkflow) -> Finding:
    lines = ", ".join(map(str, workflow.lines[:_SHOWN_LINES]))
    facts = {"file": workflow.file, "provider": workflow.provider, "lines": lines}
    if workflow.builds:
        facts["builds"] = ", ".join(workflow.builds)
    return Finding(
        FindingKind.SERVERLESS_WORKFLOW,
        Weight.MUST,
        f"{workflow.file}:{workflow.lines[0]}",
        "It deploys to Serverless.",
        "After the switch its next run would tell Hybrid agents to start what only Serverless can."
        + (
            " `hybrid ci init` writes the workflows that take its place."
            if workflow.provider != "other"
            else " It has to be taken away or rewritten by hand."
        ),
        facts=facts,
    )


def _code(repository: RepositoryState) -> Iterator[Finding]:
    for spot in repository.variables:
        on_ecs = spot.what in ON_ECS_TOO
        yield _in_code(
            repository,
            spot,
            FindingKind.SERVERLESS_VARIABLE,
            Weight.SHOULD if on_ecs else Weight.MUST,
            f"It reads {spot.what}: {VARIABLES.get(spot.what, 'set by Serverless alone')}.",
            "On ECS it is there too, for the task's own role; elsewhere it is not."
            if on_ecs
            else "On Hybrid nothing sets it.",
            {"variable": spot.what},
        )
    for spot in repository.libraries:
        yield _in_code(
            repository,
            spot,
            FindingKind.SERVERLESS_LIBRARY,
            Weight.MUST,
            "It imports dagster_cloud.serverless.",
            "That IO manager works on Serverless alone.",
            {},
        )
    for spot in repository.isolation:
        yield _in_code(
            repository,
            spot,
            FindingKind.NON_ISOLATED_RUNS,
            Weight.KNOW,
            "It sets the run tag dagster/isolation.",
            "Agents know the tag on Hybrid too: such runs go on in the code server, which has to be large enough.",
            {},
        )


def _in_code(
    repository: RepositoryState,
    spot: Spot,
    kind: FindingKind,
    weight: Weight,
    what: str,
    why: str,
    facts: dict[str, str],
) -> Finding:
    owners = repository.owners(spot.file)
    folder = {"folder": owners[0].folder} if owners else {}
    location = owners[0].name if len(owners) == 1 else None
    place = {"file": spot.file, "line": str(spot.line)}
    return Finding(kind, weight, f"{spot.file}:{spot.line}", what, why, location, {**folder, **place, **facts})
