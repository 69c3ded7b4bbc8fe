"""moto's server with copies on S3 as S3 makes them: under conditions."""

from __future__ import annotations

import sys

from moto.server import main

from tests.standins.ecs.patching import close_for_good
from tests.standins.s3.gaps_of_copies import GAPS

if __name__ == "__main__":
    close_for_good(GAPS)
    main(sys.argv[1:])
