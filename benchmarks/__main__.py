"""``python -m benchmarks [PART…]``: measure, and print Markdown.

Parts: stand-up, no-op, registration, storage, events, crowd, images, delivery, ecs, kubernetes, azure, review, assets,
many-assets, switch, switch-by-queue. Only when named: switch-once, switch-slow-departure.
"""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import (
    asset_values,
    azure,
    crowd,
    delivery,
    ecs,
    events,
    images,
    kubernetes,
    no_op_up,
    registration,
    review,
    stand_up,
    storage,
    switch,
    switch_by_queue,
)
from benchmarks.figure import Figure, table

PARTS = {
    "stand-up": lambda: [*stand_up.measure(1), *stand_up.measure(10)],
    "no-op": lambda: no_op_up.measure(1),
    "registration": registration.measure,
    "storage": storage.measure,
    "events": events.measure,
    "crowd": crowd.measure,
    "images": images.measure,
    "delivery": delivery.measure,
    "ecs": ecs.measure,
    "kubernetes": kubernetes.measure,
    "azure": azure.measure,
    "review": review.measure,
    "assets": asset_values.measure,
    "many-assets": asset_values.measure_very_many,
    "switch": switch.measure,
    "switch-by-queue": switch_by_queue.measure,
}

FURTHER = {"switch-once": switch.measure_once, "switch-slow-departure": switch.measure_slow_departure}
"""Parts of a part, or too long for every time: only when they are named."""


def main(chosen: list[str]) -> int:
    parts = PARTS | FURTHER
    unknown = set(chosen) - set(parts)
    if unknown:
        sys.stderr.write(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts)}\n")
        return 2
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, load before {os.getloadavg()[0]:.1f}\n")
    figures: list[Figure] = []
    for name in chosen or PARTS:
        sys.stderr.write(f"measuring {name} …\n")
        measured = parts[name]()
        sys.stderr.write(f"{table(measured)}\n")  # a later part that fails does not take them along
        figures += measured
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
