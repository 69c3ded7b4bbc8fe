"""The rules as Pulumi's policies: its values made plain, and what a run finds handed back to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from hybrid.workspace import STACK_NAME
from policies.exceptions import Exceptions, checked
from policies.rule import ResourceRule, Rule, StackRule
from policies.rules import ALLOWABLE, LATER, RESOURCE_RULES, STACK_RULES, STALE
from policies.run import Finding, Run, stack_of
from policies.subjects import UNKNOWN, Subject, mapping

NAME: Final = "dagster-hybrid"
_LEVELS: Final = {"mandatory": EnforcementLevel.MANDATORY, "advisory": EnforcementLevel.ADVISORY}


def serve() -> None:
    """Answers the engine until it ends. Raises ``SettingsError`` for exceptions that cannot be."""
    from stacks.policy_exceptions import EXCEPTIONS

    exceptions = checked(EXCEPTIONS, (rule.name for rule in ALLOWABLE))
    PolicyPack(name=NAME, policies=policies(Run(Exceptions(exceptions))))


def policies(run: Run) -> list[Policy]:
    """What of the pack Pulumi knows. The last ones tell what all others have left."""
    return [
        *(_of_resource(rule, run, is_first=number == 0) for number, rule in enumerate(RESOURCE_RULES)),
        *(_of_stack(rule, run) for rule in STACK_RULES),
        _policy(STALE, lambda _: list(run.stale(STALE))),
        _policy(LATER, lambda _: list(run.later(LATER, RESOURCE_RULES))),
    ]


def _of_resource(rule: ResourceRule, run: Run, *, is_first: bool) -> Policy:
    """``is_first``: of all rules, which the engine has asked one after the other about one resource; what it is told of
    it is made plain once."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if is_first:
            run.see(_subject(args))
        for finding in run.resource(rule, args.urn):
            report(finding.message, finding.urn)

    return ResourceValidationPolicy(
        name=rule.name, description=rule.reason, enforcement_level=_LEVELS[rule.level], validate=validate
    )


def _of_stack(rule: StackRule, run: Run) -> Policy:
    return _policy(rule, lambda args: list(run.stack(rule, _references(args))))


def _policy(rule: Rule, found: Callable[[StackValidationArgs], Sequence[Finding]]) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for finding in found(args):
            report(finding.message, finding.urn or None)

    return StackValidationPolicy(
        name=rule.name, description=rule.reason, enforcement_level=_LEVELS[rule.level], validate=validate
    )


def _subject(args: ResourceValidationArgs) -> Subject:
    return Subject(
        type=args.resource_type,
        name=args.name,
        urn=args.urn,
        properties=_plain(args.props),
        provider=_plain(args.provider.props) if args.provider is not None else {},
        asked=_asked(stack_of(args.urn)),
    )


def _references(args: StackValidationArgs) -> dict[str, dict[str, frozenset[str]]]:
    return {
        resource.urn: {
            key: frozenset(each.urn for each in others) for key, others in resource.property_dependencies.items()
        }
        for resource in args.resources
    }


def _plain(value: Any) -> Any:
    """``value`` out of the library's proxies, which raise an error at the first value that is not known."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_item(value, number) for number in range(len(value))]
    return value


def _item(container: Any, key: Any) -> Any:
    try:
        return _plain(container[key])
    except UnknownValueError:
        return UNKNOWN


@lru_cache(maxsize=8)
def _asked(stack: str) -> Mapping[str, Any]:
    """``hybrid:aws`` of the stack's file, which the engine does not tell packs. A file that cannot be read ends the
    program, and the preview with it, by words of its own."""
    if not STACK_NAME.fullmatch(stack):
        return {}
    import yaml

    file = Path(__file__).absolute().parent.parent / "stacks" / f"Pulumi.{stack}.yaml"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return mapping(mapping(mapping(document).get("config")).get("hybrid:aws"))
