"""The hand-over itself, and what the way back needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hybrid.errors import NotReadyError
from hybrid.switch.agent_type import change_agent_type
from hybrid.switch.serverless_agents import serverless_agents, still_there
from hybrid.switch.steps.step import Facts, Note, SwitchStep
from hybrid.switch.waiting import wait_for


class Documents(SwitchStep):
    """What Serverless runs, word for word. It lies beside the journal, whose texts are redacted: a document may hold
    what looks like a secret, and masked it would be no way back."""

    name: ClassVar[str] = "documents"
    title: ClassVar[str] = "keep what Serverless runs"
    if_it_fails: ClassVar[str] = "Schedules and sensors are paused; nothing else was changed."

    def do(self, facts: Facts, note: Note) -> None:
        if "digest" in facts:
            return  # what was kept first is what Serverless ran
        self.work.foresee()  # not in the gap
        found = self.work.documents()
        loaded = [name for name, each in self.work.locations().items() if each.is_loaded and name in found]
        taken = {"variables": self.work.keep_variables()} if self.work.taken_variables() else {}
        digest = self.work.keep_documents(found)
        note({"digest": digest, "locations": sorted(found), "loaded": sorted(loaded), **taken})

    def take_back(self, facts: Facts) -> None:
        if "digest" not in facts:
            return
        kept = self.work.kept_documents(facts["digest"])
        if self.beside == "standby" and self.given.journal.last("serve") is not None:
            self.work.up()  # first the agent stands by again, else it tries to load what is put back
        if "variables" in facts:
            self._restore(facts["variables"])
        present = self.work.documents()
        # what a Hybrid agent said of the same document stands until Serverless is told to load it anew
        spoilt = {name for name, each in self.work.locations().items() if each.has_failed(None)}
        spoilt &= set(facts.get("loaded") or ())
        for name in sorted(kept):
            if said(present.get(name)) != said(kept[name]) or name in spoilt:
                self.work.put_document(dict(kept[name]))
        served = {each.name for each in self.work.wanted()}
        for name in sorted(set(present) & served - set(kept)):
            self.work.delete_location(name)
        self._await_loaded(facts.get("loaded") or ())

    def _restore(self, digest: str) -> None:
        """Before documents, by which code servers start, which is when they read variables."""
        lost = self.work.restore_variables(digest)
        if lost:
            self.tell(
                f"{', '.join(lost)} {'has' if len(lost) == 1 else 'have'} the stack's value: the former one was not "
                f"told. Set it at {self.work.page} (Deployment, Environment variables)."
            )

    def _await_loaded(self, names: tuple[str, ...] | list[str]) -> None:
        """Those that were loaded before."""

        def loaded() -> bool | None:
            found = self.work.locations()
            return True if all(name in found and found[name].is_loaded for name in names) else None

        seconds = self.choices.load_seconds
        if wait_for(self.work, loaded, seconds=seconds, poll=self.choices.poll_seconds) is None:
            found = self.work.locations()
            late = [name for name in names if name not in found or not found[name].is_loaded]
            raise NotReadyError(
                f"The deployment is on Serverless, and {', '.join(late)} did not load there within {seconds:g} s.",
                next_step=f"look at {self.work.page}; `hybrid switch back {self.work.stack}` goes on from here.",
            )


class Switch(SwitchStep):
    """From here on Serverless goes."""

    name: ClassVar[str] = "switch"
    title: ClassVar[str] = "hand the deployment to Hybrid agents"
    if_it_fails: ClassVar[str] = "Whether it was handed over is looked at first when you go on, or back."

    def do(self, facts: Facts, note: Note) -> None:
        if "asked_at" not in facts:
            self.choices.ask(f"hand '{self.work.deployment}' of '{self.work.organization}' to Hybrid agents now?")
        asked = self.work.now()
        note({"asked_at": asked})
        changed_now = change_agent_type(self.work, "HYBRID", self.choices, self.tell)
        # of one that was handed over before a kill only the try is known
        note({"switched_at": asked if changed_now else float(facts.get("asked_at", asked))})

    def take_back(self, facts: Facts) -> None:
        if self.work.agent_type() != "SERVERLESS":
            self.choices.ask(f"hand '{self.work.deployment}' of '{self.work.organization}' back to Serverless now?")
            change_agent_type(self.work, "SERVERLESS", self.choices, self.tell)
        if not facts:
            return
        known = self.of("preflight").get("agents") or []

        def there() -> bool | None:
            if self.work.serverless_status() != "ACTIVE":
                return None
            return True if not known or still_there(serverless_agents(self.work.agents()), self.work.now()) else None

        seconds = self.choices.load_seconds
        if wait_for(self.work, there, seconds=seconds, poll=self.choices.poll_seconds) is None:
            raise NotReadyError(
                f"'{self.work.deployment}' is SERVERLESS, and its agent is not back after {seconds:g} s "
                f"(Serverless is {self.work.serverless_status()}).",
                next_step=f"look at {self.work.page}; `hybrid switch back {self.work.stack}` goes on from here.",
            )


def said(document: Mapping[str, Any] | None) -> Any:
    """A document without what says nothing: what is null or empty."""
    return _said(document or {})


def _said(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = {key: _said(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not None} or None
    if isinstance(value, list | tuple):
        return [_said(item) for item in value] or None
    return value
