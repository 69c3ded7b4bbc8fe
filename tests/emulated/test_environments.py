"""Environments of code locations: each has its own dependencies, whatever the others and the agent have.

Needs a package registry; the packages are small and cached after the first time.
"""

from __future__ import annotations

import pytest

from tests.emulated.checkout import Checkout

pytestmark = pytest.mark.emulated

NEEDS_A_RELEASE = """
from importlib.metadata import version
import dagster as dg

assert version("tabulate") == "{release}", version("tabulate")

@dg.asset
def {name}_table() -> str:
    return "{release}"

defs = dg.Definitions(assets=[{name}_table])
"""


@pytest.mark.slow  # it installs two releases of a large package
def test_two_locations_with_conflicting_dependencies_both_load(checkout: Checkout) -> None:
    for name, release in (("older", "0.9.0"), ("newer", "0.10.0")):
        code = NEEDS_A_RELEASE.replace("{release}", release).replace("{name}", name)
        checkout.location(name, code, (f"tabulate=={release}",))
    document = checkout.up().document
    loaded = {location["name"] for location in document["locations"] if location["error"] is None}
    assert loaded == {"alpha", "older", "newer"}, "no one environment could hold both releases"
    environments = [path for path in (checkout.root / ".hybrid" / "environments").iterdir() if path.is_dir()]
    assert len([path for path in environments if (path / "bin" / "python").exists()]) >= 3


def test_a_requirement_that_cannot_be_met_is_told_under_the_location_s_name(checkout: Checkout) -> None:
    checkout.location("impossible", requirements=("tabulate==999.0",))
    answer = checkout.hybrid("up", "local")
    assert answer.code == 5, answer.err
    assert "impossible" in answer.err
    assert "tabulate" in answer.err, "the installer's own words say which requirement"
    assert "Traceback" not in answer.err
