"""Folders of code locations, as a checkout has them."""

from __future__ import annotations

from pathlib import Path


def make_locations(checkout: Path, *names: str) -> None:
    """Code locations that can be read and have no code."""
    for name in names:
        folder = checkout / "locations" / name
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1"\n'
            'dependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]\n'
            f'[tool.dg.project]\nroot_module = "{name}"\n'
        )
