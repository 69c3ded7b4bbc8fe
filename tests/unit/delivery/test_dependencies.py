"""The packages that a location's environment must hold. That they are enough is shown by the emulated tier."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.dependencies import require_asset_values, require_dagster_cloud
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit


def location(root: Path, dependencies: str) -> None:
    folder = root / "locations" / "alpha"
    (folder / "src" / "alpha").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "alpha"\nversion = "0.1"\ndependencies = {dependencies}\n'
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "alpha"\n'
    )
    (folder / "src" / "alpha" / "__init__.py").write_text("")


def test_a_location_without_dagster_cloud_is_named_before_anything_is_installed(tmp_path: Path) -> None:
    location(tmp_path, '["dagster==1.13.27"]')
    with pytest.raises(SettingsError, match=r"locations/alpha/pyproject\.toml"):
        require_dagster_cloud(find_code_locations(tmp_path))


@pytest.mark.parametrize("spelling", ["dagster-cloud", "Dagster_Cloud==1.13.27", "dagster-cloud[serverless]>=1.13"])
def test_any_spelling_of_the_package_counts(tmp_path: Path, spelling: str) -> None:
    location(tmp_path, f'["{spelling}"]')
    require_dagster_cloud(find_code_locations(tmp_path))  # not raising is the proof


def test_the_library_of_stored_values_counts_wherever_it_comes_from(tmp_path: Path) -> None:
    location(tmp_path, '["dagster-asset-values @ file:///srv/wheels/dagster_asset_values-0.1.0-py3-none-any.whl"]')
    require_asset_values(find_code_locations(tmp_path))  # not raising is the proof
