"""One type of resource: check, plan, apply, read, import, as Pulumi asks for them."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hybrid.provider.properties import UNKNOWN, Properties, reveal
from tests.standins.aws import convert, planning
from tests.standins.aws.book import Entry
from tests.standins.aws.catalog import Listed
from tests.standins.aws.convert import RefusedError, ShapeError, from_terraform, to_terraform
from tests.standins.aws.planning import Values
from tests.standins.aws.shapes import Field
from tests.standins.aws.terraform import Terraform, TerraformError, errors, warnings
from tests.standins.aws.values import packed, unpacked

MADE_UP: Final = "__defaults"
"""The input in which the plugin's bridge keeps which names it made up."""
META: Final = "__meta"
"""The output in which it keeps what the provider wants to have back, here in base 64."""
_TIMEOUTS: Final = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"  # where terraform-plugin-sdk's resource_timeout.go keeps them
_DIGITS: Final = 7
_OWN: Final = (MADE_UP, META)


class PartialError(Exception):
    """It stands, but not as it should: the engine keeps it and goes on from there."""

    def __init__(self, text: str, id: str, outputs: Properties) -> None:
        super().__init__(text)
        self.id = id
        self.outputs = outputs


@dataclass(frozen=True)
class Standing:
    """A resource that is there."""

    id: str
    outputs: Properties
    inputs: Properties = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A plan: the values before it, as configured and as planned, and the provider's whole answer."""

    prior: Values | None
    configured: Values
    planned: Values
    answer: Any


@dataclass(frozen=True)
class Difference:
    """``paths``: Pulumi's paths with add, delete or update. ``replaces``: the top-level properties among them."""

    some: bool
    paths: Mapping[str, str]
    replaces: tuple[str, ...]
    delete_first: bool


class Resource:
    """A type of resource at a running provider. ``region``: the provider's own."""

    def __init__(
        self, token: str, listed: Listed, entry: Entry, terraform: Terraform, region: str, warn: Callable[[str], None]
    ) -> None:
        self.token = token
        self.listed = listed
        self.shape = entry.shape
        self._missing = entry.missing
        self._terraform = terraform
        self._region = region
        self._warn = warn

    # what a program gives

    def check(self, name: str, old: Properties, new: Properties, seed: bytes) -> tuple[Properties, dict[str, str]]:
        """The inputs with the plugin's defaults, and the reasons, by property, why they cannot be taken."""
        inputs = {key: value for key, value in new.items() if key not in _OWN}
        faults = dict(self._unmapped(inputs))
        inputs = {**self.listed.defaults, **inputs}
        made_up = self._made_up(name, old, inputs, seed)
        inputs |= made_up
        inputs[MADE_UP] = sorted(made_up)
        if not faults:
            faults = self._refused(inputs)
        return inputs, faults

    def _unmapped(self, inputs: Properties) -> Iterable[tuple[str, str]]:
        plain = {key: value for key, value in inputs.items() if key != "region"}
        for path in convert.unmapped(self.shape, plain):
            yield (
                path,
                f"The stand-in for Pulumi's aws plugin does not map '{path}': {self.listed.terraform} of the provider "
                "at hand has no such setting (tests/standins/aws).",
            )
        if inputs.get("region") not in (None, self._region):
            yield "region", "The stand-in for Pulumi's aws plugin knows one region for a provider (tests/standins/aws)."

    def _made_up(self, name: str, old: Properties, inputs: Properties, seed: bytes) -> Properties:
        naming = self.listed.naming
        if naming is None or inputs.get(naming.property) is not None or inputs.get(f"{naming.property}Prefix"):
            return {}
        if naming.property in (old.get(MADE_UP) or []) and old.get(naming.property):
            return {naming.property: old[naming.property]}
        digits = f"{random.Random(seed or None).getrandbits(4 * _DIGITS):0{_DIGITS}x}"  # noqa: S311 - a name
        begin = naming.prefix + (name.lower() if naming.lower else name)
        return {naming.property: f"{begin[: naming.limit - _DIGITS - 1]}-{digits}"}

    def _refused(self, inputs: Properties) -> dict[str, str]:
        try:
            configured = self._configured(inputs)
            self._terraform.call(
                "ValidateResourceTypeConfig", type_name=self.listed.terraform, config=packed(configured)
            )
        except ShapeError as error:
            return {error.path: str(error)}
        except TerraformError as error:
            return {convert.pulumi_path(self.shape, path): text for text, path in error.problems}
        return {}

    def _configured(self, inputs: Properties, timeout: tuple[str, float] | None = None) -> Values:
        plain = {key: value for key, value in reveal(inputs).items() if key not in (*_OWN, "region")}
        configured: Values = to_terraform(self.shape, plain, given=True)
        if timeout is not None and (limits := self._field("timeouts")) is not None:
            operation, seconds = timeout
            named = {each.terraform for each in limits.shape.fields}
            if seconds and operation in named:
                configured["timeouts"] = dict.fromkeys(named) | {operation: f"{seconds:.0f}s"}
        return configured

    # plans

    def plan(self, prior: Values | None, private: bytes, configured: Values) -> Plan:
        """What the provider would do. ``prior``: None for what is not there yet."""
        answer = self._terraform.call(
            "PlanResourceChange",
            type_name=self.listed.terraform,
            prior_state=packed(prior),
            proposed_new_state=packed(planning.proposed(self.shape, prior, configured)),
            config=packed(configured),
            prior_private=private,
        )
        return Plan(prior, configured, unpacked(answer.planned_state), answer)

    def diff(self, id: str, outputs: Properties, inputs: Properties, ignored: Iterable[str]) -> Difference:
        """What an update of ``outputs`` to ``inputs`` would change."""
        prior, private = self._state(id, outputs)
        plan = self.plan(prior, private, self._configured(self._kept(inputs, outputs, ignored)))
        fields = list(planning.changed(self.shape, prior, plan.planned))
        whole = {path.steps[0].attribute_name for path in plan.answer.requires_replace if path.steps}
        replaces = tuple(each.pulumi for each in fields if each.terraform in whole)
        return Difference(
            some=bool(fields),
            paths=self._paths(fields, plan),
            replaces=replaces,
            delete_first=bool(replaces) and (self.listed.delete_first or self._keeps_its_name(outputs, inputs)),
        )

    def _paths(self, fields: Iterable[Field], plan: Plan) -> dict[str, str]:
        prior = plan.prior or {}
        found: dict[str, str] = {}
        for each in fields:
            after = plan.planned.get(each.terraform)
            follows = after is UNKNOWN and plan.configured.get(each.terraform) is None
            if each.terraform not in convert.HIDDEN and not follows:
                found |= dict(planning.differences(each.shape, prior.get(each.terraform), after, each.pulumi))
        return found

    def _keeps_its_name(self, outputs: Properties, inputs: Properties) -> bool:
        """Two of one name cannot stand beside each other (tfbridge's nameRequiresDeleteBeforeReplace)."""
        naming = self.listed.naming
        if naming is None or naming.property in (inputs.get(MADE_UP) or []):
            return False
        name = inputs.get(naming.property)
        return name is not None and name == outputs.get(naming.property)

    def _kept(self, inputs: Properties, outputs: Properties, ignored: Iterable[str]) -> Properties:
        """The inputs, with what is to be ignored as it stands."""
        kept = dict(inputs)
        for path in ignored:
            if "." in path or "[" in path:
                raise RefusedError(
                    f"The stand-in for Pulumi's aws plugin ignores changes of whole properties only, not of '{path}'."
                )
            kept.pop(path, None)
            if path in outputs:
                kept[path] = outputs[path]
        return kept

    # what it does

    def create(self, inputs: Properties, seconds: float, preview: bool) -> Standing:
        configured = self._configured(inputs, ("create", seconds))
        plan = self.plan(None, b"", configured)
        if preview:
            return Standing("", self._outputs(plan.planned, b""))
        return self._applied(plan, "")

    def update(
        self,
        id: str,
        outputs: Properties,
        inputs: Properties,
        ignored: Iterable[str],
        seconds: float,
        preview: bool,
    ) -> Standing:
        prior, private = self._state(id, outputs)
        configured = self._configured(self._kept(inputs, outputs, ignored), ("update", seconds))
        plan = self.plan(prior, private, configured)
        if preview:
            return Standing(id, self._outputs(plan.planned, private))
        return self._applied(plan, id)

    def delete(self, id: str, outputs: Properties, seconds: float) -> None:
        prior, private = self._state(id, outputs)
        if seconds:
            kept = json.loads(private or b"{}") or {}  # the SDK writes null where there is nothing
            kept[_TIMEOUTS] = {**kept.get(_TIMEOUTS, {}), "delete": int(seconds * 1e9)}
            private = json.dumps(kept).encode()
        answer = self._terraform.call(
            "PlanResourceChange",
            type_name=self.listed.terraform,
            prior_state=packed(prior),
            proposed_new_state=packed(None),
            config=packed(None),
            prior_private=private,
        )
        self._terraform.call(
            "ApplyResourceChange",
            type_name=self.listed.terraform,
            prior_state=packed(prior),
            planned_state=packed(None),
            config=packed(None),
            planned_private=answer.planned_private or private,
        )

    def read(self, id: str, outputs: Properties, inputs: Properties) -> Standing | None:
        """What stands now; None when it is gone. Without ``outputs`` it is imported by its id."""
        if outputs:
            state, private = self._state(id, outputs)
        else:
            found = self._terraform.call("ImportResourceState", type_name=self.listed.terraform, id=id)
            if not found.imported_resources:
                return None
            state, private = unpacked(found.imported_resources[0].state), found.imported_resources[0].private
        answer = self._terraform.call(
            "ReadResource", type_name=self.listed.terraform, current_state=packed(state), private=private
        )
        seen = unpacked(answer.new_state)
        if seen is None:
            return None
        now = self._outputs(seen, answer.private or private)
        return Standing(
            str(seen.get("id") or id), now, self._followed(inputs, outputs, now) if outputs else self._imported(now)
        )

    def _followed(self, inputs: Properties, before: Properties, now: Properties) -> Properties:
        """The inputs, where something drifted as it is now."""
        plain = reveal(now)
        return {
            key: value if key in _OWN else followed(value, before.get(key), plain.get(key))
            for key, value in inputs.items()
            if key in _OWN or key not in before or plain.get(key) is not None
        }

    def _imported(self, now: Properties) -> Properties:
        given = {each.pulumi for each in self.shape.fields if each.given} - {"tagsAll"}
        taken = {key: value for key, value in now.items() if key in given and value not in ("", [], {})}
        return {**taken, MADE_UP: []}

    def _applied(self, plan: Plan, id: str) -> Standing:
        answer = self._terraform.answer(
            "ApplyResourceChange",
            type_name=self.listed.terraform,
            prior_state=packed(plan.prior),
            planned_state=plan.answer.planned_state,
            config=packed(plan.configured),
            planned_private=plan.answer.planned_private,
        )
        for text in warnings(answer):
            self._warn(text)
        state, problems = unpacked(answer.new_state), errors(answer)
        stands = str((state or {}).get("id") or id)
        if problems and state and stands:
            outputs = self._outputs(state, answer.private)
            raise PartialError("\n".join(text for text, _ in problems), stands, outputs)
        if problems or not state:
            raise TerraformError(problems or [("the provider answered without a state", ())])
        return Standing(stands, self._outputs(state, answer.private))

    # state

    def _state(self, id: str, outputs: Properties) -> tuple[Values, bytes]:
        plain = {key: value for key, value in reveal(outputs).items() if key not in self.listed.copies}
        state: Values = to_terraform(self.shape, {**plain, "id": id}, given=False)
        return state, base64.b64decode(plain.get(META) or "")

    def _outputs(self, state: Values, private: bytes) -> Properties:
        outputs: Properties = from_terraform(self.shape, state)
        for name, same in self.listed.copies.items():
            if same in outputs:
                outputs[name] = outputs[same]
        if "region" in self._missing:
            outputs["region"] = self._region
        if private:
            outputs[META] = base64.b64encode(private).decode()
        return outputs

    def _field(self, terraform: str) -> Field | None:
        return next((each for each in self.shape.fields if each.terraform == terraform), None)


def followed(given: Any, before: Any, now: Any) -> Any:
    """``given`` where nothing drifted; else what is there now, of an object only the parts that were given."""
    if before == now:
        return given
    if isinstance(given, dict) and isinstance(before, dict) and isinstance(now, dict) and set(given) < set(before):
        return {key: followed(value, before.get(key), now.get(key)) for key, value in given.items()}
    return now
