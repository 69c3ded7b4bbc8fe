"""The rehearsal's Dagster+ made like the one that was inspected, with the code of the checkout as it is now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.delivery.virtualenv import VirtualEnvironmentSpec, executable_of, is_complete
from hybrid.engine.stack import Stack
from hybrid.errors import NotReadyError
from hybrid.plus import PlusClient, PlusRejected, Scopes
from hybrid.plus.automation import Instigation
from hybrid.redaction import Token
from hybrid.switch.organization import FoundInstigator, FoundVariable, OrganizationState
from hybrid.switch.work import MARKER
from hybrid.workspace import Workspace

Document = dict[str, Any]
Say = Callable[[str], None]

_NOTHING_RUNS: Final = {"max_concurrent_runs": 0}
_OF_SERVERLESS: Final = frozenset({"image", "pex_metadata", "pex_bundle", "agent_queue", "build"})
"""Keys of a document that say how Serverless runs it."""
_AGENT_SECONDS: Final = 120
_LOAD_SECONDS: Final = 300


@dataclass(frozen=True)
class Seeded:
    """What the rehearsal's organization has. ``environment_seconds``: how long the locations' environments took to
    make, near zero where an earlier rehearsal had made them. ``differs``: in what it is not the one inspected."""

    locations: tuple[str, ...]
    variables: int
    on: int
    environment_seconds: float
    differs: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        return {
            "locations": list(self.locations),
            "variables": self.variables,
            "schedules_and_sensors_on": self.on,
            "environment_seconds": round(self.environment_seconds, 1),
        }


def environments_of(workspace: Workspace, stack: str, say: Say) -> dict[str, Path]:
    """The interpreter of each location that the stack serves, its environment made if need be."""
    found: dict[str, Path] = {}
    for folder in Stack.read(workspace, stack).folders:
        name = folder.name
        spec = VirtualEnvironmentSpec.of_location(folder, workspace)
        if not is_complete(spec.path):
            say(f"{name}: making its environment")
        found[name] = executable_of(spec.ensure(lambda text: None, time.sleep))
    return found


def seed(
    client: PlusClient,
    workspace: Workspace,
    stack: str,
    state: OrganizationState | None,
    say: Say,
    *,
    may_run: bool,
) -> Seeded:
    """``state`` None: the locations of the checkout, and nothing else. Unless ``may_run``, every run that is launched
    stays in the queue. Raises ``NotReadyError`` when the Serverless agent does not report, or a location does not
    load."""
    began = time.monotonic()
    executables = environments_of(workspace, stack, say)
    seconds = time.monotonic() - began
    differs = [_settings(client, state, may_run=may_run)]
    variables = _variables(client, state)
    until(lambda: client.agents(), _AGENT_SECONDS, "the Serverless agent of the rehearsal did not report")
    documents = seed_documents(workspace, stack, state, executables)
    for document in documents:
        differs.append(_put(client, document))
    names = [document["location_name"] for document in documents]
    say(f"loading {', '.join(names) or 'nothing'} on the rehearsal's Serverless")
    _await_loaded(client, names)
    on = _instigators(client, state)
    if state is not None and (unknown := sorted({each.name for each in state.locations} - set(names))):
        differs.append(f"Not rehearsed, as the stack serves no folder of that name: {', '.join(unknown)}.")
    return Seeded(tuple(names), variables, on, seconds, tuple(filter(None, differs)))


def seed_documents(
    workspace: Workspace, stack: str, state: OrganizationState | None, executables: Mapping[str, Path]
) -> list[Document]:
    """What the rehearsal's Serverless is told to run: the inspected documents with the code of this checkout, for the
    locations that the organization has."""
    read = Stack.read(workspace, stack)
    made = []
    for folder in read.folders:
        own = read.document(folder, executable=executables[folder.name])
        found = state.location(folder.name) if state is not None else None
        if state is not None and found is None:
            continue  # new with Hybrid
        made.append(seed_document(found.document if found else {}, own))
    return made


def seed_document(inspected: Mapping[str, Any], own: Mapping[str, Any]) -> Document:
    """``own`` is what the stack tells of the same location: code, folder and interpreter are from there."""
    kept = {key: each for key, each in inspected.items() if key not in _OF_SERVERLESS and each is not None}
    places = ("location_name", "code_source", "working_directory", "executable_path", "attribute")
    return {**kept, **{key: own[key] for key in places if own.get(key) is not None}}


def until(look: Callable[[], object], seconds: float, otherwise: str) -> None:
    """Raises ``NotReadyError`` when ``look`` says nothing in time."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise NotReadyError(f"Within {seconds:g} s {otherwise}.")
        time.sleep(0.2)


def scopes_of(words: Sequence[str]) -> Scopes | None:
    """From the words of an inspection; None: of one branch deployment alone, which a rehearsal has not."""
    made = Scopes("full deployments" in words, "all branch deployments" in words, None, "local" in words)
    return made if made != Scopes() else None


def held_settings(settings: Mapping[str, Any] | None, *, may_run: bool) -> Document:
    """A deployment's settings, under which no run leaves the queue unless ``may_run``."""
    kept = dict(settings or {})
    if may_run:
        return kept
    concurrency = kept.get("concurrency")
    if isinstance(concurrency, Mapping) and isinstance(concurrency.get("runs"), Mapping):
        kept["concurrency"] = {**concurrency, "runs": {**concurrency["runs"], **_NOTHING_RUNS}}
    elif isinstance(concurrency, Mapping) and "pools" in concurrency:
        kept["concurrency"] = {**concurrency, "runs": _NOTHING_RUNS}
    else:
        kept["run_queue"] = {**(kept.get("run_queue") or {}), **_NOTHING_RUNS}
    return kept


def _settings(client: PlusClient, state: OrganizationState | None, *, may_run: bool) -> str:
    settings = dict((state.settings if state is not None else None) or {})
    if state is not None and state.non_isolated_runs and "non_isolated_runs" not in settings:
        settings["non_isolated_runs"] = {"enabled": True}
    try:
        client.update_deployment_settings(held_settings(settings, may_run=may_run))
    except PlusRejected as error:
        if not may_run:
            client.update_deployment_settings({"run_queue": _NOTHING_RUNS})
        return f"Its settings are not those of the deployment, which the embedded Dagster+ refused: {error.sentence()}"
    return ""


def _variables(client: PlusClient, state: OrganizationState | None) -> int:
    made = 0
    found: Sequence[FoundVariable] = (state.variables if state is not None else None) or ()
    for each in found:
        scopes = scopes_of(each.scopes)
        if each.name == MARKER or scopes is None:
            continue
        client.create_environment_variable(each.name, Token("made up for a rehearsal"), scopes, each.locations)
        made += 1
    return made


def _put(client: PlusClient, document: Document) -> str:
    try:
        client.put_location(document)
    except PlusRejected:
        bare = seed_document({}, document)
        client.put_location(bare)
        return f"The document of {document['location_name']} was refused as it was inspected; what runs of it is kept."
    return ""


def _await_loaded(client: PlusClient, names: Sequence[str]) -> None:
    def settled() -> bool:
        found = {each.name: each for each in client.code_locations()}
        return all(name in found and (found[name].is_loaded or found[name].error is not None) for name in names)

    until(settled, _LOAD_SECONDS, "not all locations have loaded on the rehearsal's Serverless")
    failed = [each for each in client.code_locations() if each.name in names and each.error is not None]
    if failed:
        raise NotReadyError(
            f"{', '.join(each.name for each in failed)} did not load from this checkout's code.",
            why="\n".join(f"{each.name}: {each.error.reason}" for each in failed if each.error is not None),
            next_step="mend it, or see whether its code needs what a rehearsal does not give it: values of variables, "
            "files of the home folder, a network.",
        )


def _instigators(client: PlusClient, state: OrganizationState | None) -> int:
    """Turned on and off as inspected; how many are on then."""
    wanted = {_key(each): each.is_on for each in ((state.instigators if state is not None else None) or ())}
    for one in client.automations().instigations:
        if wanted.get(_key(one), one.is_on) == one.is_on:
            continue
        if one.is_on:
            client.stop_instigation(one)
        else:
            client.start_instigation(one)
    return sum(one.is_on for one in client.automations().instigations)


def _key(one: Instigation | FoundInstigator) -> tuple[str, str, str]:
    return (one.location, one.kind, one.name)


__all__ = ["Seeded", "held_settings", "scopes_of", "seed", "seed_document", "seed_documents"]
