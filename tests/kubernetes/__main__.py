"""``python -m tests.kubernetes serve --folder F``: a cluster, until SIGTERM or the end of the process that started it.

One at a time: its network is one for the whole machine. A second one waits. With ``--paper`` its node runs nothing, and
there may be several. ``parts`` gets its programs and ends.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import threading
from pathlib import Path

from tests.containers.home import Home
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.parts import Parts, obtain
from tests.standins import paper_node
from tests.standins.kubelet.engine import Engine
from tests.standins.kubelet.node import Node
from tests.standins.kubelet.place import GATEWAY, Place


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("parts", help="download or compile the programs")
    serve = commands.add_parser("serve", help="serve until it is ended")
    serve.add_argument("--folder", type=Path, required=True, help="for its data, logs, kubeconfigs and record")
    serve.add_argument("--pause-image", default=os.environ.get("HYBRID_TEST_PYTHON_IMAGE", ""))
    serve.add_argument("--parent", type=int, help="end when this process has")
    serve.add_argument("--paper", action="store_true", help="a node that runs nothing")
    given = parser.parse_args()
    parts = obtain(dict(os.environ))
    if given.command == "parts":
        print(parts)
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.paper:
        _serve_paper(parts, given.folder.resolve(), given.parent)
        return 0
    with (Home.of(dict(os.environ)).path / "kubernetes-lab").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _serve(parts, given.folder.resolve(), given.pause_image, given.parent)
    return 0


def _serve(parts: Parts, folder: Path, pause_image: str, parent: int | None) -> None:
    over = _asked_to_end()
    Engine().clear()
    Engine().make_network()
    plane = ControlPlane(parts, folder, GATEWAY)
    node: Node | None = None
    try:
        plane.start()
        pair = plane.authority.server("kubelet", GATEWAY)
        place = Place(folder, plane.kubelet, plane.server, pause_image)
        node = Node(place, certificate=pair.certificate, key=pair.key, authority=plane.authority.certificate)
        node.start()
        _stay(plane, over, parent)
    finally:
        if node is not None:
            node.end()
        plane.stop()
        Engine().clear()


def _serve_paper(parts: Parts, folder: Path, parent: int | None) -> None:
    over = _asked_to_end()
    plane = ControlPlane(parts, folder, paper_node.ADDRESS)
    try:
        plane.start()
        pair = plane.authority.server("kubelet", paper_node.ADDRESS)
        node = paper_node.PaperNode(
            plane.kubelet, certificate=pair.certificate, key=pair.key, authority=plane.authority.certificate
        )
        node.start()
        _stay(plane, over, parent)
        node.end()
    finally:
        plane.stop()


def _asked_to_end() -> threading.Event:
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    return over


def _stay(plane: ControlPlane, over: threading.Event, parent: int | None) -> None:
    """Until the end is asked for, or the process that started it has ended."""
    print(f"A cluster answers at {plane.server}; its node is a STAND-IN. KUBECONFIG={plane.admin}", flush=True)
    while not over.wait(1.0) and (parent is None or Path(f"/proc/{parent}").exists()):
        plane.check()


if __name__ == "__main__":
    raise SystemExit(main())
