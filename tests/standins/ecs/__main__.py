"""``python -m tests.standins.ecs serve --folder F``: a lab, until SIGTERM or the end of the process that started it.

One lab at a time: the credentials address is one for the whole machine. A second one waits.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

from tests.aws.moto_gaps import GAPS as GAPS_OF_OTHERS
from tests.containers.home import Home
from tests.standins.ecs import gaps_of_cloud_map, gaps_of_iam, gaps_of_services, gaps_of_tasks
from tests.standins.ecs.engine import Engine
from tests.standins.ecs.front import Front
from tests.standins.ecs.patching import close_for_good
from tests.standins.ecs.place import ENDPOINT, GATEWAY, Place
from tests.standins.ecs.runner import Runner

GAPS = (*gaps_of_tasks.GAPS, *gaps_of_services.GAPS, *gaps_of_cloud_map.GAPS, *gaps_of_iam.GAPS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.standins.ecs", description=__doc__)
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve", help="serve until it is ended")
    serve.add_argument("--folder", type=Path, required=True, help="for its record of calls and events")
    serve.add_argument("--registry", default=os.environ.get("HYBRID_TEST_REGISTRY", ""), help="has the images of ECR")
    serve.add_argument("--pause-image", default=os.environ.get("HYBRID_TEST_PYTHON_IMAGE", ""))
    serve.add_argument("--without-iam", action="store_true", help="record what IAM would deny, and let it pass")
    serve.add_argument("--parent", type=int, help="end when this process has")
    given = parser.parse_args()
    place = Place(given.folder, given.pause_image, given.registry, enforce=not given.without_iam)
    lock = Home.of(dict(os.environ)).path / "ecs-lab"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _serve(place, given.parent)
    return 0


def _serve(place: Place, parent: int | None) -> None:
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("moto").setLevel(logging.ERROR)
    close_for_good((*GAPS, *GAPS_OF_OTHERS))
    Engine().clear()
    Engine().make_network()
    runner = Runner(place)
    server = make_server(GATEWAY, 80, Front(place, runner), threaded=True, request_handler=MotoRequestHandler)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        runner.start()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"A double of ECS answers at {ENDPOINT}; its record is in {place.folder}.", flush=True)
        while not over.wait(1.0) and _lives(parent):
            pass
    finally:
        runner.end()
        server.shutdown()
        Engine().clear()


def _lives(process: int | None) -> Any:
    return process is None or Path(f"/proc/{process}").exists()


if __name__ == "__main__":
    raise SystemExit(main())
