"""What an Azure stack has standing that is billed by time, by its file and its locations alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hybrid.costs.azure import AppSize, AzureFootprint, estimate
from hybrid.costs.azure_prices import EAST_US
from hybrid.costs.estimate import Estimate
from hybrid.delivery.document import CONTEXTS

if TYPE_CHECKING:
    from agent.azure_spec import AzureAgentSpec
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.engine.stack import Stack


def monthly(stack: Stack, spec: AzureAgentSpec) -> Estimate:
    """What the stack costs a month by list prices; runs, logs, data and requests on top. What it adopts costs its
    owner."""
    azure = stack.who.settings.azure
    if azure is None:
        raise TypeError("settings of an agent in Azure have `azure`: Settings holds it")
    footprint = AzureFootprint(
        apps=(_size("agent", spec.cpu), *(_server(spec, folder) for folder in stack.folders)),
        load_balancers=1,
        nat_gateways=1 if azure.network.nat else 0,
        registry=azure.registry.sku if azure.registry.id is None else None,
    )
    return estimate(footprint, EAST_US)


def _server(spec: AzureAgentSpec, folder: CodeLocationFolder) -> AppSize:
    """The launcher starts one replica of each."""
    own: Mapping[str, Any] = folder.container_context.get(CONTEXTS[spec.kind]) or {}
    said = own.get("server_resources")
    cpu = _processors(said.get("cpu")) if isinstance(said, Mapping) else None
    return _size(f"code server of {folder.name}", spec.server_cpu if cpu is None else cpu)


def _processors(said: Any) -> float | None:
    """None for what Azure does not have: the gate finds it."""
    text = str(said)
    try:
        cpu = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError:
        return None
    return cpu if 0 < cpu <= 4 else None


def _size(what: str, cpu: float) -> AppSize:
    return AppSize(what, cpu, cpu * 2)
