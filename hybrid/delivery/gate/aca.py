"""Rules about `container_context.aca` that the agent's schema does not have.

Sources: dagster_cloud/workspace/aca/launcher.py and dagster_azure/container_apps/launcher.py of dagster-cloud 1.13.27;
https://learn.microsoft.com/azure/container-apps/containers#allocations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hybrid.delivery.gate.findings import Severity
from hybrid.delivery.gate.places import KeyPath

_SIZES: Final = ("server_resources", "run_resources")
_GIB: Final = {"Gi": 1.0, "Mi": 1 / 1024}


def aca_rules(said: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any, Severity, str, str]]:
    """Sizes that Azure would refuse, once the location's image is built and its code server is started."""
    for key in _SIZES:
        size = said.get(key)
        if not isinstance(size, Mapping) or not ({"cpu", "memory"} & set(size)):
            continue
        cpu, memory = _processors(size.get("cpu")), _gibibytes(size.get("memory"))
        if cpu is None or memory is None or cpu % 0.25 or not 0.25 <= cpu <= 4 or memory != 2 * cpu:
            yield (
                (key,),
                None,
                "error",
                f"`aca.{key}` is no pair that Azure has: processors go by quarters up to 4, with 2 GiB each.",
                'write both, such as {cpu: "0.5", memory: 1Gi}.',
            )


def _processors(text: Any) -> float | None:
    try:
        return float(str(text)[:-1]) / 1000 if str(text).endswith("m") else float(text)
    except (TypeError, ValueError):
        return None


def _gibibytes(text: Any) -> float | None:
    for unit, factor in _GIB.items():
        if str(text).endswith(unit):
            try:
                return float(str(text).removesuffix(unit)) * factor
            except ValueError:
                return None
    return None
