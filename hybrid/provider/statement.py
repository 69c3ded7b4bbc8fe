"""Resources that state that something was found in order: what was stated stands until an input is another one."""

from __future__ import annotations

from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing, Resource


class Statement(Resource):
    """``create`` looks, and raises what is wrong; a refresh does not look again, and deleting it does nothing."""

    import_refusal = "It is a statement, and there is nothing to read it from."

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        return Existing(id, outputs)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        return None
