"""A plan made from what Dagster+ says and, where the source can be listed, from what lies there. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asset_values.faults import Fault
from asset_values.stores.places import KEPT_BY_US
from asset_values.value_key import value_key
from hybrid.assets.inventory import catalog_of, gather
from hybrid.assets.layout import Layout
from hybrid.assets.places import Place, Presigned, unusable
from hybrid.assets.plan import Plan, plan_of
from hybrid.assets.questions import OnProgress
from hybrid.assets.selection import selected

if TYPE_CHECKING:
    from asset_values.model import Source
    from hybrid.plus import PlusClient


@dataclass(frozen=True)
class Survey:
    """The two ends, what is asked for (``only``: Dagster's selection syntax), and at how many values a second."""

    source: Place | Presigned
    destination: Place
    only: str | None = None
    rate: float | None = None

    def plan(self, plus: PlusClient, listed: Source | None = None, on_progress: OnProgress | None = None) -> Plan:
        """``listed``: the source's store, where it can be listed. Raises the errors of ``hybrid.plus``, ``UsageError``
        for a selection that is none, ``ValuesNotCopiedError`` when the source cannot be listed."""
        organization = plus.organization()
        deployment = plus.current_deployment()
        catalog = catalog_of(plus, on_progress)
        inventory = gather(plus, catalog, selected(catalog, self.only), on_progress)
        return plan_of(
            inventory,
            organization=f"{organization.name} ({organization.public_id})",
            deployment=deployment.name,
            layout=self._layout,
            sizes=None if listed is None else _sizes(listed, on_progress),
            selection=self.only,
            rate=self.rate,
            warnings=tuple(self._warnings(deployment.agent_type)),
        )

    @property
    def _layout(self) -> Layout:
        source = value_key if isinstance(self.source, Presigned) else self.source.end.key
        to = self.destination
        return Layout(self.source.name, to.name, source, to.end.key, to.base)

    def _warnings(self, agent_type: str) -> Iterator[str]:
        if isinstance(self.source, Presigned) and agent_type != "SERVERLESS":
            yield (
                "The deployment is not run by Serverless any more: whether Dagster+ still gives out what Serverless "
                "stored is not known. Values that it does not give out are failures of the copy."
            )


def _sizes(source: Source, on_progress: OnProgress | None) -> dict[str, int]:
    found: dict[str, int] = {}
    try:
        for entry in source.entries():
            if entry.key.startswith(KEPT_BY_US):
                continue
            found[entry.key] = entry.size
            if on_progress is not None and len(found) % 1000 == 0:
                on_progress("listed values", len(found), 0)
    except Fault as fault:
        raise unusable(source.name, fault) from None
    return found
