"""`hybrid:assetValues.ioManager` with a real agent: an asset that names no IO manager is stored, by a run, where the
stack's settings say, and its code says nothing of it."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path

import pytest

from tests.emulated.checkout import REPOSITORY, Checkout, until

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(400)]


def test_assets_are_stored_and_loaded_where_the_settings_say(tmp_path: Path, environments: Path) -> None:
    values = tmp_path / "values"
    settings = f"  hybrid:assetValues:\n    ioManager: true\n    folder: {values}\n"
    place = Checkout(tmp_path / "checkout", settings=settings, shared=environments)
    build = [str(REPOSITORY / ".venv/bin/uv"), "build", "--wheel", "--quiet", "--out-dir", str(tmp_path / "wheels")]
    subprocess.run([*build, str(REPOSITORY / "asset_values")], check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheels").glob("dagster_asset_values-*.whl")
    place.location("alpha", requirements=(f"dagster-asset-values @ {wheel.as_uri()}",))
    try:
        place.up()
        with place.client() as client:
            run = client.launch_run("alpha", "answers")
            status = until(lambda: client.run(run).is_finished and client.run(run).status, seconds=90, what="it ends")
        assert status == "SUCCESS"
        assert pickle.loads((values / "answer").read_bytes()) == 42  # noqa: S301 - written by this test's run
    finally:
        place.destroy()
