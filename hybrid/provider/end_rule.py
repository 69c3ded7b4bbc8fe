"""Resources that say what happens when a stack, or its agent, is taken away: until then there is nothing of them."""

from __future__ import annotations

from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing, Resource


class EndRule(Resource):
    """All its work is done by ``delete``; ``create`` only names it."""

    import_refusal = "It is a rule for the end of a stack, not a thing."

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        return Existing(id, {})

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)
