"""One run of the engine as the pack sees it: each resource as it comes, then all together. Rules say what is wrong,
exceptions let it pass, and what remains is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from hybrid.redaction import redact
from policies.exceptions import FILE, Exceptions
from policies.rule import ResourceRule, Rule, StackRule
from policies.subjects import Subject, Unknown

_SHOWN = 8


@dataclass(frozen=True)
class Finding:
    """What one resource breaks. ``urn`` is empty for one about the whole stack."""

    message: str
    urn: str = ""


class Run:
    """What has been seen. The engine asks for one resource at a time, in several threads, and for the stack last."""

    def __init__(self, exceptions: Exceptions) -> None:
        self._exceptions = exceptions
        self._seen: dict[str, Subject] = {}
        self._later: dict[tuple[str, str], Subject] = {}

    def see(self, subject: Subject) -> None:
        """A resource that is asked about next."""
        self._exceptions.of_stack(stack_of(subject.urn))
        self._seen[subject.urn] = subject

    def resource(self, rule: ResourceRule, urn: str) -> Iterator[Finding]:
        """What a resource that was seen breaks of ``rule``."""
        subject = self._seen[urn]
        if not rule.applies_to(subject):
            return
        if _is_unknown(rule, subject):
            self._later[rule.name, subject.urn] = subject
        for what in rule.check(subject):
            if not self._exceptions.allows(rule.name, subject):
                yield Finding(_told(rule, what, subject), subject.urn)

    def stack(self, rule: StackRule, refers_to: Mapping[str, Mapping[str, frozenset[str]]]) -> Iterator[Finding]:
        """What the stack breaks of ``rule``. ``refers_to``: by URN of every resource in it, what its properties come
        from; of the resources themselves the inputs count, for outputs also have what AWS adds."""
        subjects = [
            replace(self._seen[urn], refers_to=refers) for urn, refers in refers_to.items() if urn in self._seen
        ]
        for subject, what in rule.check(subjects):
            if not self._exceptions.allows(rule.name, subject):
                yield Finding(_told(rule, what, subject), subject.urn)

    def stale(self, rule: Rule) -> Iterator[Finding]:
        """Exceptions for this stack that let nothing pass. One for what is not known yet may still be needed."""
        for each in self._exceptions.unused():
            waits = any(
                name == each.rule and fnmatchcase(subject.address, each.resource)
                for (name, _), subject in self._later.items()
            )
            if not waits:
                what = f"The exception from {each.rule} for {each.resource!r} lets nothing pass."
                yield Finding(redact(f"{what}\nNext: {rule.todo}"))

    def later(self, rule: Rule, judged_by: Sequence[ResourceRule]) -> Iterator[Finding]:
        """One finding for all that the mandatory ones of ``judged_by`` could not see."""
        mandatory = {each.name for each in judged_by if each.level == "mandatory"}
        names = sorted({str(subject) for (name, _), subject in self._later.items() if name in mandatory})
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            what = f"Not known yet of {', '.join(names[:_SHOWN])}{more}."
            yield Finding(redact(f"{what}\nNext: {rule.todo}"))


def _is_unknown(rule: ResourceRule, subject: Subject) -> bool:
    keys = rule.judges.get(subject.kind, ())
    return any(isinstance(subject.properties.get(key), Unknown) for key in keys)


def _told(rule: Rule, what: str, subject: Subject) -> str:
    exception = f'Allowed("{rule.name}", "{subject.address}", because="…")'
    return redact(f"{what}\nNext: {rule.todo}\nTo allow it: {exception} in {FILE}.")


def stack_of(urn: str) -> str:
    """``urn:pulumi:prod::hybrid::…`` is of the stack prod."""
    return urn.removeprefix("urn:pulumi:").partition("::")[0]
