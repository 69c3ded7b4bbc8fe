"""moto's server with the one gap closed that would show as a difference after every first `up`."""

from __future__ import annotations

import sys

from moto.server import main

from tests.standins.ecs.gaps_of_services import a_service_keeps_its_settings
from tests.standins.ecs.patching import Gap, close_for_good

if __name__ == "__main__":
    close_for_good([Gap(a_service_keeps_its_settings)])
    main(sys.argv[1:])
