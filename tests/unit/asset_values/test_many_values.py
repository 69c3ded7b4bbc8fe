"""A hundred thousand values: time in proportion, little memory, and a rerun that goes on at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from asset_values.copier import Copier
from asset_values.manifest import Identity, Manifest
from asset_values.model import Item
from tests.unit.asset_values.memory_store import MemoryStore

number, path = int(sys.argv[1]), Path(sys.argv[2])
source, destination = MemoryStore("source", remember_calls=False), MemoryStore("destination", remember_calls=False)
for i in range(number):
    source.write(f"s/{i % 100}/{i}", b"%d" % i)

def copy():
    began, cpu = time.monotonic(), time.process_time()
    with Manifest(path, Identity("o", "d", "s", "t")) as manifest:
        manifest.plan(Item("a", str(i), f"s/{i % 100}/{i}", f"d/{i % 100}/{i}", "h") for i in range(number))
        assert Copier(source, destination, manifest).run().ok
    return time.monotonic() - began, time.process_time() - cpu

_, first = copy()
for i in range(0, number, 100):
    source.write(f"s/{i % 100}/{i}", b"newer %d" % i)
again, _ = copy()
assert all(destination.data(f"d/{i % 100}/{i}") == source.data(f"s/{i % 100}/{i}") for i in range(number))
# not ru_maxrss, which a process has from the one that started it
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"cpu": first, "again": again, "rss": peak / 1024}))
"""


def measured(number: int, path: Path) -> dict[str, float]:
    import json

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(number), str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout)


def test_a_hundred_thousand_values_are_linear_go_on_at_once_and_take_little_memory(tmp_path: Path) -> None:
    few, many = measured(20_000, tmp_path / "few"), measured(100_000, tmp_path / "many")
    print(few, many)
    assert many["cpu"] < 5 * few["cpu"] * 3, "linear, with room for a busy machine"
    assert many["rss"] < 250, "MB, the two stores in memory among them"
