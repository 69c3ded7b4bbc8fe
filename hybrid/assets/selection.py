"""Which assets a selection means, in Dagster's own words for it (``key:"raw/*"``, ``group:x``, ``+key:orders``)."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from hybrid.assets.inventory import Catalog
from hybrid.errors import UsageError
from hybrid.plus.assets import AssetKey, AssetNode, slashed

if TYPE_CHECKING:
    from dagster import AssetsDefinition, AssetSpec

SYNTAX: Final = "https://docs.dagster.io/guides/build/assets/asset-selection-syntax/reference"
_LOCATION: Final = re.compile(r'code_location:\s*(?:"([^"]*)"|([A-Za-z0-9_.\-]+))')
_LOCATION_TAG: Final = "dagster-hybrid/location"
_EXAMPLES: Final = """for example --only 'key:"raw/*"', 'group:sales', 'tag:tier=1', 'kind:dbt' or '+key:"orders"'"""


def selected(catalog: Catalog, text: str | None) -> frozenset[AssetKey]:
    """The keys that ``text`` selects; without it all. Assets that are only in the event log can be selected by key.

    Raises ``UsageError`` for what is no selection, for a key that is not there, and when nothing is selected.
    """
    everything = frozenset(asset.key for asset in catalog.known)
    if text is None:
        return everything
    found = frozenset(_resolved(catalog, text))
    if not found:
        raise UsageError(
            f"--only {text} selects nothing.",
            why=f"The deployment knows {len(everything)} assets.",
            next_step=f"correct it: {_EXAMPLES}.",
        )
    return found


def _resolved(catalog: Catalog, text: str) -> set[AssetKey]:
    from dagster import AssetSelection, DagsterError, DagsterInvalidSubsetError, Definitions

    locations = {name: f"l{place}" for place, name in enumerate(sorted({node.location for node in catalog.nodes}))}
    words = _LOCATION.sub(lambda match: f'tag:"{_LOCATION_TAG}"="{_tag(match, locations)}"', text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dagster's remarks about its own previews
        graph = Definitions(assets=[_one_definition(_specs(catalog, locations))]).resolve_asset_graph()
        try:
            found = AssetSelection.from_string(words, include_sources=True).resolve(graph)
        except DagsterInvalidSubsetError:
            raise _absent(catalog, text) from None
        except (DagsterError, NotImplementedError) as error:
            raise UsageError(
                f"--only {text} is no selection that can be used here.",
                why=str(error).splitlines()[0] if str(error) else "Dagster cannot resolve it without running code.",
                next_step=f"write it as in {SYNTAX}: {_EXAMPLES}.",
            ) from None
    return {tuple(key.path) for key in found}


def _one_definition(specs: Sequence[AssetSpec]) -> AssetsDefinition:
    """All of them as if one function made them: a selection does not go upstream of assets that nothing makes."""
    from dagster import multi_asset

    return multi_asset(specs=specs, can_subset=True, name="selectable")(lambda: None)


def _specs(catalog: Catalog, locations: dict[str, str]) -> list[AssetSpec]:
    """Assets as Dagster resolves selections on: no code, no partitions, only what selections ask for."""
    from dagster import AssetSpec, DagsterError

    known = {asset.key for asset in catalog.known}
    nodes = {node.key: node for node in catalog.nodes}
    found = []
    for key in sorted(known):
        node = nodes.get(key)
        try:
            found.append(AssetSpec(list(key), **_facts(node, known, locations)) if node else AssetSpec(list(key)))
        except DagsterError:  # what an older Dagster allowed and this one does not, in a tag or an owner
            found.append(AssetSpec(list(key), deps=[list(dep) for dep in _deps(node, known)] if node else None))
    return found


def _facts(node: AssetNode, known: set[AssetKey], locations: dict[str, str]) -> dict[str, Any]:
    return {
        "deps": [list(key) for key in _deps(node, known)],
        "group_name": node.group,
        "tags": {**(node.tags or {}), _LOCATION_TAG: locations[node.location]},
        "owners": list(node.owners),
    }


def _deps(node: AssetNode | None, known: set[AssetKey]) -> Sequence[AssetKey]:
    return [key for key in node.dependencies if key in known and key != node.key] if node else []


def _tag(match: re.Match[str], locations: dict[str, str]) -> str:
    return locations.get(match.group(1) or match.group(2) or "", "none")


def _absent(catalog: Catalog, text: str) -> UsageError:
    names = [slashed(asset.key) for asset in catalog.known]
    near = difflib.get_close_matches(text, names, n=3)
    return UsageError(
        f"--only {text}: there is no such asset.",
        why=f"Similar ones are: {', '.join(near)}." if near else f"The deployment knows {len(names)} assets.",
        next_step=f"name one that is there, or select otherwise: {_EXAMPLES}.",
    )
