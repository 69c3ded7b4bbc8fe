"""moto's server, each request ``LATENCY_MS`` later; closes the gaps of S3 that the copies meet."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import moto.server

from tests.standins.ecs.patching import close_for_good
from tests.standins.s3.gaps_of_copies import GAPS


def later(application: Callable[..., Iterable[bytes]], seconds: float) -> Callable[..., Iterable[bytes]]:
    """A WSGI application that waits before it works; other requests go on meanwhile."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith("/moto-api"):
            time.sleep(seconds)
        return application(environ, start)

    return answer


if __name__ == "__main__":
    close_for_good(GAPS)
    seconds = float(os.environ.get("LATENCY_MS", "0")) / 1000
    serve = moto.server.run_simple
    moto.server.run_simple = lambda host, port, app, **more: serve(host, port, later(app, seconds), **more)
    moto.server.main(sys.argv[1:])
