"""Code locations as Dagster+ has them, said so that the stack tells Dagster+ the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hybrid.adopt.overlay import overlay_to, said, same
from hybrid.adopt.secrecy import secret_names
from hybrid.delivery.catalog import CodeLocationFolder, find_code_locations
from hybrid.delivery.difference import KeyChange, key_changes
from hybrid.delivery.document import CONTEXTS, location_document
from hybrid.delivery.environment import CONTAINER_CONTEXT, merged, overlay, without_nulls
from hybrid.delivery.images.reference import Reference
from hybrid.delivery.project import MODULE, NAME, QUEUE, CodeSource
from hybrid.delivery.references import LocationImage
from hybrid.delivery.render import dumped
from hybrid.delivery.sources import Place, Source, YamlMapping
from hybrid.errors import SettingsError

_SOURCES: Final = {"module_name": "moduleName", "package_name": "packageName", "python_file": "pythonFile"}
_TEXTS: Final = {
    "working_directory": "workingDirectory",
    "executable_path": "executablePath",
    "attribute": "attribute",
    "agent_queue": "agentQueue",
}

DigestOf = Callable[[Reference], str | None]
"""The digest that a tag has in its registry, None when that is not known."""


@dataclass(frozen=True)
class AdoptedLocation:
    """One location. ``served`` is its entry in ``hybrid:locations``, ``pin`` the image in ``hybrid:pins``."""

    name: str
    served: str | Mapping[str, Any]
    pin: str | None
    overlay: tuple[str, str] | None
    """Path relative to the checkout, and text."""
    document: Mapping[str, Any]
    """What ``location_document`` makes of that, with the image as Dagster+ has it."""
    changes: tuple[KeyChange, ...]
    """What differs once the stack registers it: only these keys are sent otherwise than they stand."""
    why_image: str | None = None
    """Why it is served from its image, though it has a folder."""


@dataclass(frozen=True)
class LeftLocation:
    """A location that the stack does not declare, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Ground:
    """What is known beside a location's document. ``folders`` are by location, as the environment has them."""

    root: Path
    platform: str
    """The agent's kind."""
    environment: str
    folders: Mapping[str, CodeLocationFolder]
    digest_of: DigestOf
    queues: Collection[str | None]
    """Queues that the agent takes; None is the default one."""

    @property
    def context(self) -> str:
        """The platform's key in a container context."""
        return CONTEXTS[self.platform]


def folders_of(root: Path, environment: str) -> dict[str, CodeLocationFolder]:
    """The locations under ``locations/``. Raises ``SettingsError`` when some are wrong."""
    return {folder.name: folder for folder in find_code_locations(root, environment=environment)}


def adopted(name: str, document: Mapping[str, Any], ground: Ground) -> AdoptedLocation | LeftLocation:
    """The location as the stack is to say it, or why it cannot."""
    why = _why_not(name, document, ground)
    if why is not None:
        return LeftLocation(name, why)
    reference = Reference.parse(str(document["image"]))
    digest = reference.digest or ground.digest_of(reference)
    image = f"{reference.repository}@{digest}" if digest else str(document["image"])
    folder = ground.folders.get(name)
    if folder is None:
        return _of_image(name, document, image, None, ground)
    try:
        return _of_folder(folder, document, image if digest else None, ground)
    except _NotSaid as reason:
        return _of_image(name, document, image, str(reason), ground)


class _NotSaid(Exception):
    """Why a location's folder cannot say what Dagster+ has."""


def _why_not(name: str, document: Mapping[str, Any], ground: Ground) -> str | None:
    source = said(document.get("code_source")) or {}
    image, queue = document.get("image"), document.get("agent_queue") or None
    if not NAME.fullmatch(name):
        return "its name cannot be one here"
    if not isinstance(image, str) or not image:
        return "it runs from no image: Serverless or an agent of another kind has its code"
    try:
        Reference.parse(image)
    except SettingsError as error:
        return error.what
    if len(source) != 1 or not (set(source) <= _SOURCES.keys() or name in ground.folders):
        return f"it loads by {', '.join(source) or 'nothing'}, which only a folder under locations/ can say"
    kind, target = next(iter(source.items()))
    if not isinstance(target, str) or (kind != "python_file" and not MODULE.fullmatch(target)):
        return f"{kind} names nothing that can be loaded"
    if any(not isinstance(document.get(key), str | None) for key in _TEXTS):
        return "a key of its document is no text, as it has to be"
    if queue not in ground.queues:
        return f"it is on {f'the queue {queue}' if queue else 'the default queue'}, which this agent does not take"
    if queue is not None and not QUEUE.fullmatch(queue):
        return "its queue's name cannot be one here"
    telling = sorted(set(secret_names(said(document.get("container_context")) or {})))
    if telling:
        return (
            f"{', '.join(telling)} looks like a secret in plain text, which no file may hold: make it an environment "
            "variable of Dagster+, or name a secret of the platform's instead, and adopt again"
        )
    return None


def _of_image(name: str, document: Mapping[str, Any], image: str, why: str | None, ground: Ground) -> AdoptedLocation:
    source = said(document["code_source"])
    kind, target = next(iter(source.items()))
    context = {ground.context: said_here} if (said_here := _context(document, ground)) else {}
    told = str(document["image"])
    served: dict[str, Any] = {"name": name, "image": told, _SOURCES[kind]: target}
    served |= {entry: document[key] for key, entry in _TEXTS.items() if document.get(key)}
    served |= {"containerContext": context} if context else {}
    reference = LocationImage(
        image=told,
        name=name,
        code_source=CodeSource(kind, target),
        container_context=context,
        **{key: document.get(key) or None for key in _TEXTS},
    )
    folder = find_code_locations(Path(), [reference])[0]
    return AdoptedLocation(
        name=name,
        served=served,
        pin=None,
        overlay=None,
        document=location_document(folder, image=told, platform=ground.platform),
        changes=_changes(document, location_document(folder, image=image, platform=ground.platform)),
        why_image=why,
    )


def _of_folder(
    folder: CodeLocationFolder, document: Mapping[str, Any], pinned: str | None, ground: Ground
) -> AdoptedLocation:
    if pinned is None:
        raise _NotSaid("the digest of its image is not known, so it cannot be pinned")
    if folder.shares_folder:
        raise _NotSaid("another location has the same folder, and with it the same overlay")
    if not folder.folder.is_relative_to(ground.root.resolve()):
        raise _NotSaid("its folder is not in the checkout")
    plain = location_document(folder, image=pinned, platform=ground.platform)
    for key in ("code_source", *_TEXTS):
        if not same(plain.get(key), document.get(key)):
            raise _NotSaid(f"its folder says another {key} than Dagster+ has, and no overlay can")
    base = folder.container_context.get(ground.context) or {}
    over = overlay_to(base, _context(document, ground))
    if over is None:
        raise _NotSaid("no overlay over its folder's container context gives what Dagster+ has")
    context = without_nulls(merged(base, over))
    whole = replace(folder, container_context={**folder.container_context, ground.context: context})
    return AdoptedLocation(
        name=folder.name,
        served=folder.name,
        pin=pinned,
        overlay=_file(folder, over, ground) if over else None,
        document=location_document(whole, image=str(document["image"]), platform=ground.platform),
        changes=_changes(document, location_document(whole, image=pinned, platform=ground.platform)),
    )


def _file(folder: CodeLocationFolder, over: Mapping[str, Any], ground: Ground) -> tuple[str, str]:
    """The environment's overlay with ``over`` laid over what it says already."""
    name = overlay(CONTAINER_CONTEXT, ground.environment)
    present = Place(folder.folder, folder.origin).read(name)
    values = merged(YamlMapping(present).values if present else {}, {ground.context: dict(over)})
    path = (folder.folder.relative_to(ground.root.resolve()) / name).as_posix()
    text = f"# What the environment {ground.environment} had when it was adopted, over {CONTAINER_CONTEXT}.yaml.\n"
    text += dumped(values)
    try:
        again = YamlMapping(Source(path, text)).values
    except SettingsError:
        again = None
    if again != values:
        raise _NotSaid("its container context holds what a YAML file of plain values cannot")
    return path, text


def _context(document: Mapping[str, Any], ground: Ground) -> dict[str, Any]:
    contexts = document.get("container_context") or {}
    return dict(said(contexts.get(ground.context)) or {})


def _changes(present: Mapping[str, Any], rendered: dict[str, Any]) -> tuple[KeyChange, ...]:
    """What `up` of a serving stack changes."""
    return key_changes(present, rendered)
