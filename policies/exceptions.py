"""The team's exceptions held against the rules, and which of them were of use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from hybrid.errors import SettingsError
from policies.subjects import Subject
from stacks.policy_exceptions import Allowed

FILE: Final = "stacks/policy_exceptions.py"
_SHORTEST_REASON: Final = 10


class Exceptions:
    """The exceptions that are for one stack."""

    def __init__(self, listed: Sequence[Allowed]) -> None:
        self._listed = listed
        self._used: set[Allowed] = set()
        self._stack = ""

    def of_stack(self, stack: str) -> None:
        """Which stack it is, once that is known: those for others are neither applied nor stale."""
        self._stack = stack

    def allows(self, rule: str, subject: Subject) -> bool:
        """Whether one of them lets it pass; all that do count as used."""
        fitting = [
            each for each in self._of_this_stack() if each.rule == rule and fnmatchcase(subject.address, each.resource)
        ]
        self._used.update(fitting)
        return bool(fitting)

    def unused(self) -> list[Allowed]:
        return [each for each in self._of_this_stack() if each not in self._used]

    def _of_this_stack(self) -> list[Allowed]:
        return [each for each in self._listed if fnmatchcase(self._stack, each.stack)]


def checked(listed: Any, rules: Iterable[str]) -> tuple[Allowed, ...]:
    """``EXCEPTIONS`` of the team's file, if each can be one. ``rules``: the names that may be named.

    Raises ``SettingsError`` with all that is wrong: an unknown rule, no reason, a resource that means everything.
    """
    known = sorted(rules)
    if not isinstance(listed, tuple | list) or not all(isinstance(each, Allowed) for each in listed):
        raise _wrong(["EXCEPTIONS is no tuple of Allowed(…)"])
    problems = [f"{number}. {problem}" for number, each in enumerate(listed, 1) for problem in _problems(each, known)]
    if problems:
        raise _wrong(problems)
    return tuple(listed)


def _problems(allowed: Allowed, known: Sequence[str]) -> Iterable[str]:
    if not all(isinstance(each, str) for each in (allowed.rule, allowed.resource, allowed.because, allowed.stack)):
        yield "rule, resource, because and stack are texts"
        return
    if allowed.rule not in known:
        yield f"{allowed.rule!r} is no rule; there are {', '.join(known)}"
    if len(allowed.because.strip()) < _SHORTEST_REASON:
        yield f"`because` says nothing: a reader wants to know why {allowed.resource!r} may break {allowed.rule}"
    kind, separator, name = allowed.resource.partition("::")
    if not separator or not name or not kind.strip("*?[]"):
        yield f"{allowed.resource!r} does not say a type and a name, such as aws:s3/bucket:Bucket::storage-*"


def _wrong(problems: Sequence[str]) -> SettingsError:
    return SettingsError(
        f"The exceptions in {FILE} are wrong:",
        why="\n".join(f"  {problem}" for problem in problems),
        next_step=f"mend {FILE}; docs/policies.md tells the rules.",
    )
