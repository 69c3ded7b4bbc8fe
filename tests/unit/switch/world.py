"""An organization and a stack in memory, whose process may be killed before and after each effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from hybrid.errors import EngineError, NotReadyError, SettingsError
from hybrid.plus import PlusRejected
from hybrid.switch import kept
from hybrid.switch.work import Marker, OwnQueue, SmokeDone, ValuesDone
from tests.unit.switch.situation import NAMES, ON, Situation, hybrid_document, serverless_document


class World(Situation):
    """``SwitchWork``, for ten locations."""

    def _effect(self, name: str, change: Callable[[], Any]) -> Any:
        self.tick()
        self.calls.append(name)
        self._fault(name, after=False)
        answer = change()
        if self._grabs():
            self.grabbed.append(name)
        self.without += [f"{each} after {name}" for each in self.told if not self._has_agent(self.told[each])]
        self._fault(name, after=True)
        self.tick()
        return answer

    def _grabs(self) -> bool:
        takes_all = self.agent_up and not self.stands_by and self.agent_queue is None
        theirs = any("image" not in document for document in self.told.values())
        return self.type == "SERVERLESS" and takes_all and theirs and not self.loads_theirs

    # Effects

    def set_agent_type(self, wanted: str) -> None:
        self._effect("set_agent_type", lambda: self._become(wanted))

    def put_document(self, document: dict[str, Any]) -> None:
        def put() -> None:
            self.told[document["location_name"]] = document
            self.told_at[document["location_name"]] = self.clock

        self._effect("put_document", put)

    def delete_location(self, name: str) -> None:
        self._effect("delete_location", lambda: self.told.pop(name))

    def marker(self) -> Marker | None:
        return self.marked

    def marked_elsewhere(self) -> list[str]:
        return [each.deployment for each in self.neighbours if each.marked is not None]

    def make_marker(self, text: str) -> Marker:
        def make() -> Marker:
            if self.marked is not None:
                raise PlusRejected("There is one of that name.")
            self.markers += 1
            self.marked = Marker(f"m{self.markers}")
            return self.marked

        made: Marker = self._effect("make_marker", make)
        return made

    def remove_marker(self, id: str) -> None:
        def remove() -> None:
            assert self.marked is not None
            assert self.marked.id == id, "somebody else's"
            self.marked = None

        self._effect("remove_marker", remove)

    def phase(self) -> str | None:
        return self.file_phase

    def set_phase(self, phase: str | None) -> None:
        self._effect("set_phase", lambda: setattr(self, "file_phase", phase))

    def own_queue(self) -> OwnQueue | None:
        return self.queue

    def set_own_queue(self, name: str | None, locations: Sequence[str] = ()) -> None:
        queue = None if name is None else OwnQueue(name, tuple(locations))
        self._effect("set_own_queue", lambda: setattr(self, "queue", queue))

    def foresee(self) -> None:
        self._look("foresee")

    def tell_locations(self) -> list[str]:
        if self.queue is not None:
            return []
        self._effect("tell_locations", self._tell)
        return list(NAMES)

    def _tell(self) -> None:
        if self.type == "SERVERLESS":
            raise SettingsError("The deployment is run by Serverless.")
        for name in NAMES:
            self.told[name] = hybrid_document(name, self.agent_queue)

    def up(self, limit: float | None = None) -> None:
        self._effect("up", lambda: self._up(limit))

    def _up(self, limit: float | None) -> None:
        self.agent_up, self.agent_queue = True, self.queue.name if self.queue else None
        self.stands_by = self.file_phase == "standby" and self.queue is None
        if self.file_phase in {"prepare", "standby"}:
            self._register(self.queue.locations if self.queue else ())
            if self.type == "HYBRID" and self.stack_told:  # what Pulumi does with resources that a program left out
                self.told, self.lost = {}, True
            self.stack_told = False
            return
        if self.type == "SERVERLESS" and self.queue is None:
            raise SettingsError("The deployment is run by Serverless.")
        for name in NAMES:
            self.told[name] = hybrid_document(name, self.agent_queue)
        if self.queue is not None:
            self.registered = NAMES
        self._set_variables()
        self.stack_told = True
        if limit is not None and not self.agent_comes:
            self.clock += limit
            raise NotReadyError("`up` was stopped.")
        self.clock += 5
        if not self.agent_comes or self.fails_to_load:
            raise EngineError("`up` failed: a location did not load, or the agent did not come.")

    def _set_variables(self) -> None:
        """As the provider does, which takes nobody's variable away."""
        for name, value in self.own_variables.items():
            if self.variables.get(name, ("", value))[1] != value:
                raise EngineError(f"There is an environment variable {name} already.")
            self.variables.setdefault(name, (f"of-the-stack-{self.clock}", value))

    def _register(self, names: Sequence[str]) -> None:
        """As the provider does: of what the program left out it leaves alone what is on no queue of ours."""
        for name in set(self.registered) - set(names):
            if self.type == "HYBRID" or "agent_queue" in self.told.get(name, {}):
                self.told.pop(name, None)
                self.lost = True
        moving = [name for name in names if self.told.get(name) != hybrid_document(name, self.agent_queue)]
        self.most_moving = max(self.most_moving, len(moving))
        for name in moving:
            self.told[name], self.told_at[name] = hybrid_document(name, self.agent_queue), self.clock
        self.registered = tuple(names)
        if names:
            self._set_variables()

    def gate(self) -> None:
        self._effect("gate", lambda: None)

    def copy_values(self) -> ValuesDone:
        self._effect("copy_values", lambda: self.copied.update(self.at_source))
        return ValuesDone(f"{len(self.copied)} values", {"values": len(self.copied)})

    def verify_values(self) -> ValuesDone:
        if self.copied != self.at_source:
            raise NotReadyError("Values are missing.")
        return ValuesDone("all there", {})

    def values_stored_since(self, moment: float) -> list[str]:
        return ["orders"]

    def pause(self) -> list[str]:
        def stop() -> list[str]:
            self.record = (self.record or set()) | self.on
            self.tick()
            for each in sorted(self.on):
                self.on.discard(each)
                self.tick()
            return sorted(self.record)

        paused: list[str] = self._effect("pause", stop)
        return paused

    def drain(self, runs: str, timeout: float, but_of: str | None = None) -> str:
        self._effect("drain", lambda: self.at_source.update({"c": 3}))  # a last run stored something
        return self.left

    def resume(self) -> list[str]:
        def start() -> list[str]:
            for each in sorted(self.record or ()):
                location = each.partition("(")[2].rstrip(")")
                if not self.locations()[location].is_loaded:
                    raise NotReadyError(f"{each}: its location is not loaded")
                self.on.add(each)
                self.tick()
            self.record = None
            return sorted(self.on)

        resumed: list[str] = self._effect("resume", start)
        return resumed

    def smoke(self) -> list[SmokeDone]:
        self._effect("smoke", lambda: None)
        return [SmokeDone("location_0", "answers", self.smoke_status, "https://run", None)]

    def keep_documents(self, documents: Mapping[str, dict[str, Any]]) -> str:
        digest: str = self._effect("keep_documents", lambda: kept.keep(self.folder / "documents.json", documents))
        return digest

    def kept_documents(self, digest: str) -> Mapping[str, dict[str, Any]]:
        return kept.kept(self.folder / "documents.json", digest)

    def keep_variables(self) -> str:
        found = {id: {"name": name, "value": value} for name, (id, value) in self.variables.items()}
        mine = {id: each for id, each in found.items() if each["name"] in self.own_variables}
        digest: str = self._effect("keep_variables", lambda: kept.keep(self.folder / "variables.json", mine))
        return digest

    def release_variables(self, digest: str) -> None:
        for id, former in kept.kept(self.folder / "variables.json", digest).items():
            if self.variables.get(former["name"], ("",))[0] == id:
                self._effect("release_variable", partial(self.variables.pop, former["name"]))

    def restore_variables(self, digest: str) -> list[str]:
        former = kept.kept(self.folder / "variables.json", digest)
        if not self.values_told:
            return [each["name"] for each in former.values()]
        for each in former.values():
            again = (f"again-{self.clock}", each["value"])
            self._effect(
                "restore_variable", lambda name=each["name"], again=again: self.variables.update({name: again})
            )
        return []

    # What it has to be at the ends

    def is_hybrid(self) -> None:
        assert self.type == "HYBRID"
        queue = None if self.queue is None else self.queue.name
        assert self.told == {name: hybrid_document(name, queue) for name in NAMES}, "a location is not Hybrid's"
        assert self.agent_queue == queue, "the agent takes other requests than its locations' ones"
        assert self.file_phase == "serve"
        assert self.stack_told
        assert self.on == set(ON), "schedules and sensors are not as before"
        assert self.copied == self.at_source, "a value was lost"
        assert self.marked is None, "the marker keeps others out for ever"
        assert not self.grabbed, "the agent took what only Serverless can do"

    def is_serverless(self, phase: str | None = None) -> None:
        assert self.type == "SERVERLESS"
        wanted = {name: serverless_document(name) for name in NAMES}
        assert self.told == wanted, f"not Serverless's own documents: {json.dumps(self.told)[:300]}"
        assert self.file_phase == phase, "the stack file is not as it was"
        assert not self.lost, "an `up` took locations away, with what Dagster+ knows of them"
        assert self.queue is None, "the stack file is not as it was"
        assert not self.registered, "the next `up` or `down` of the stack would take locations from Serverless"
        assert not self.stack_told, "the next `up` or `down` of the stack would take locations from Serverless"
        assert self.on == set(ON), "schedules and sensors are not as before"
        assert self.marked is None, "the marker keeps others out for ever"
        assert not self.grabbed, "the agent took what only Serverless can do"
        assert not self._grabs(), "the agent that still stands takes what only Serverless can do"
