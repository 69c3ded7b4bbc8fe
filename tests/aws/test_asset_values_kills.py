"""A copy killed again and again until it is done, while others write at both ends."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asset_values.manifest import Manifest
from asset_values.row import State
from asset_values.verifier import Verifier
from tests.aws.copying_process import VALUES, store
from tests.aws.moto_server import REGION, Moto

pytestmark = [pytest.mark.unit, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
KILLS = 100
THEIRS = range(0, VALUES, 10)
"""Values of which somebody writes a newer one at the destination, at any moment."""
STORED_ANEW = range(5, VALUES, 10)
"""Values that are stored anew at the source, at any moment."""


class MotoOfS3(Moto):
    """An account whose copies have conditions, as S3's."""

    module = "tests.aws.moto_s3_process"


class Places:
    """Two folders of files, or two prefixes of a bucket, written as others do: without our stores."""

    def __init__(self, source: str, destination: str, endpoint: str, write: Callable[[str, str, bytes], None]) -> None:
        self.source, self.destination, self.endpoint = source, destination, endpoint
        self._write = write
        self.sources: dict[int, bytes] = {}
        self.theirs: dict[int, bytes] = {}

    def store(self, number: int, data: bytes) -> None:
        self.sources[number] = data
        self._write(self.source, f"a/{number}", data)

    def write_theirs(self, number: int, data: bytes) -> None:
        self.theirs[number] = data
        self._write(self.destination, f"a/{number}", data)


@pytest.fixture
def folders(tmp_path: Path) -> Places:
    def write(place: str, key: str, data: bytes) -> None:
        path = Path(place, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = tmp_path / "draft"
        draft.write_bytes(data)
        draft.replace(path)

    return Places(str(tmp_path / "old"), str(tmp_path / "new"), "", write)


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[Places]:
    server = MotoOfS3(tmp_path)
    s3: Any = server.client("s3")
    s3.create_bucket(Bucket="values", CreateBucketConfiguration={"LocationConstraint": REGION})

    def write(place: str, key: str, data: bytes) -> None:
        s3.put_object(Bucket="values", Key=f"{place.rpartition('/')[2]}/{key}", Body=data)

    yield Places("s3://values/old", "s3://values/new", server.endpoint, write)
    server.stop()


def start(places: Places, manifest: Path, way: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.aws.copying_process"]
    arguments = [str(manifest), places.source, places.destination, places.endpoint, way]
    return subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def killed_until_done(places: Places, manifest: Path, way: str, chance: random.Random) -> int:
    """Kill each run after some of its lines, at whatever it does then; how often."""
    theirs, anew = list(THEIRS), list(STORED_ANEW)
    chance.shuffle(theirs)
    chance.shuffle(anew)
    kills, last = 0, ""
    while True:
        with start(places, manifest, way) as process:
            assert process.stdout is not None
            lines = chance.randint(1, 16) if kills < KILLS or theirs or anew else sys.maxsize
            for number, line in enumerate(process.stdout, 1):
                last = line
                if number % 4 == 1 and theirs:
                    places.write_theirs(theirs.pop(), b"somebody's, newer")
                if number % 4 == 3 and anew:
                    again = anew.pop()
                    places.store(again, f"value {again}, anew".encode())
                if number >= lines:
                    process.kill()
                    kills += 1
                    break
            process.stdout.read()
        if last.startswith("ended"):
            assert last == "ended True 0 None\n"
            if kills >= KILLS and not theirs and not anew:
                return kills
            places.store(1, f"value 1 {kills}".encode())  # for the next run to have something to do


@pytest.mark.parametrize(
    ("kind", "way"), [("folders", "bytes"), ("buckets", "bytes"), ("buckets", "server")], ids=lambda word: word
)
def test_killed_a_hundred_times_every_byte_is_right_and_nothing_newer_is_lost(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, way: str
) -> None:
    places: Places = request.getfixturevalue(kind)
    chance = random.Random(8)  # noqa: S311
    for number in range(VALUES):
        places.store(number, f"value {number}".encode() * chance.randint(1, 200))
    manifest = tmp_path / "manifest.sqlite"
    kills = killed_until_done(places, manifest, way, chance)
    assert kills >= KILLS
    destination, source = store(places.destination, places.endpoint), store(places.source, places.endpoint)
    for number in range(VALUES):
        with destination.open(f"a/{number}") as reading:
            expected = places.theirs.get(number, places.sources[number])
            assert reading.whole() == expected, f"value {number}"
    keys = sorted(entry.key for entry in destination.entries())
    assert keys == sorted(f"a/{number}" for number in range(VALUES)), "kills leave nothing behind that is listed"
    with Manifest.read_only(manifest) as seen:
        counts = seen.counts().values
        assert counts[State.KEPT] <= len(THEIRS)
        assert counts[State.FAILED] == counts[State.PLANNED] == 0
        verification = Verifier(source, destination, seen, threads=8).run()
    assert verification.ok
    print(f"{kind}, {way}: {kills} kills, {dict(counts)}, {dict(verification.counts)}")
