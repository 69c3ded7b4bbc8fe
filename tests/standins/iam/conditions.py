"""Conditions of policies: operators, several values, keys that are absent, policy variables.

After https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html. An operator
that is not here is an error, never a condition that holds.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

Values = str | Sequence[str]
_LITERAL = str.maketrans({"*": "\ue000", "?": "\ue001"})
_PLAIN = str.maketrans({"\ue000": "*", "\ue001": "?"})
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


class UnknownOperator(ValueError):
    """IAM would refuse the policy, or this evaluator does not know the operator yet."""


def fulfilled(operator: str, key: str, wanted: Any, context: Mapping[str, Values]) -> bool:
    """Whether one ``{operator: {key: wanted}}`` holds in the context. Keys are compared without regard to case."""
    quantifier, _, bare = operator.rpartition(":")
    if_exists = bare.endswith("IfExists")
    bare = bare.removesuffix("IfExists")
    held = _value_of(key, context)
    choices = [_text(choice) for choice in _listed(wanted)]
    if bare == "Null":
        return all((held is None) == (choice.lower() == "true") for choice in choices)
    negated = bare in _NEGATED
    test = _TESTS.get(_NEGATED.get(bare, bare))
    if test is None:
        raise UnknownOperator(f"{operator}: not an operator that this evaluator knows")
    if held is None:
        return if_exists or negated or quantifier == "ForAllValues"
    choices = list(with_variables(choices, context))
    if test not in (like, arn_like):
        choices = [choice.translate(_PLAIN) for choice in choices]

    def one(value: str) -> bool:
        return any(test(choice, value) for choice in choices) != negated

    if quantifier == "ForAnyValue":
        return any(one(value) for value in held)
    if quantifier == "ForAllValues" or negated:
        return all(one(value) for value in held)
    if quantifier:
        raise UnknownOperator(f"{operator}: the only quantifiers are ForAllValues and ForAnyValue")
    return any(one(value) for value in held)


def with_variables(texts: Iterable[str], context: Mapping[str, Values]) -> Iterable[str]:
    """Texts with ``${aws:PrincipalTag/team}`` and the like filled in. One whose variable has no value is left out, as
    it matches nothing. ``${*}``, ``${?}`` and ``${$}`` stand for the characters themselves, and those of a value are
    no wildcards either: ``like`` knows them.
    """
    for text in texts:
        filled = _filled(text, context)
        if filled is not None:
            yield filled


def _filled(text: str, context: Mapping[str, Values]) -> str | None:
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = match[1].partition(",")
        if name in {"*", "?", "$"}:
            return name.translate(_LITERAL)
        held = _value_of(name.strip(), context)
        if held is not None and len(held) == 1:
            return held[0].translate(_LITERAL)
        if default:
            return default.strip().strip("'")
        missing = True
        return ""

    filled = _VARIABLE.sub(value, text)
    return None if missing else filled


def _value_of(key: str, context: Mapping[str, Values]) -> list[str] | None:
    wanted = key.lower()
    for name, value in context.items():
        if name.lower() == wanted:
            return [value] if isinstance(value, str) else list(value)
    return None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def like(pattern: str, value: str) -> bool:
    """``*`` is any text, ``?`` any one character."""
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    meant = {"*": ".*", "?": "."}
    parts = (meant.get(char) or re.escape(char.translate(_PLAIN)) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def arn_like(pattern: str, value: str) -> bool:
    """Each of the six parts on its own: a ``*`` of one part does not reach into the next."""
    wanted, held = pattern.split(":", 5), value.split(":", 5)
    return len(wanted) == len(held) == 6 and all(like(*pair) for pair in zip(wanted, held, strict=True))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(wanted: str, held: str) -> bool:
        try:
            return compare(float(held), float(wanted))
        except ValueError:
            return False

    return test


def _in_network(wanted: str, held: str) -> bool:
    try:
        return ipaddress.ip_address(held) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _moment(test: Callable[[datetime, datetime], bool]) -> Callable[[str, str], bool]:
    """ISO 8601, as ``aws:CurrentTime`` has it."""
    return lambda wanted, held: test(datetime.fromisoformat(held), datetime.fromisoformat(wanted))


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, held: wanted == held,
    "StringEqualsIgnoreCase": lambda wanted, held: wanted.lower() == held.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda wanted, held: wanted.lower() == held.lower(),
    "NumericEquals": _number(lambda held, wanted: held == wanted),
    "NumericLessThan": _number(lambda held, wanted: held < wanted),
    "NumericLessThanEquals": _number(lambda held, wanted: held <= wanted),
    "NumericGreaterThan": _number(lambda held, wanted: held > wanted),
    "NumericGreaterThanEquals": _number(lambda held, wanted: held >= wanted),
    "DateLessThan": _moment(lambda held, wanted: held < wanted),
    "DateGreaterThan": _moment(lambda held, wanted: held > wanted),
    "IpAddress": _in_network,
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "NotIpAddress": "IpAddress",
}
