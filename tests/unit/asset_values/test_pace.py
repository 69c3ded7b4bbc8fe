"""How many values at once and a second, how many bytes in memory, and how long to wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asset_values.options import CopyOptions
from asset_values.pace import Budget, Pace, backoff
from asset_values.progress import Gauge, Progress

pytestmark = pytest.mark.unit


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def turn(pace: Pace, *, throttled: bool = False) -> None:
    began = pace.enter(threading.Event())
    assert began is not None
    pace.leave(began, throttled=throttled)


@given(st.integers(1, 100), st.floats(0, 1))
def test_a_wait_is_anything_up_to_a_bound_that_doubles_and_ends(attempt: int, chance: float) -> None:
    assert 0 <= backoff(attempt, lambda: chance) <= min(20, 0.25 * 2 ** (attempt - 1))


def test_a_rate_is_kept_to_the_value() -> None:
    time = Time()
    pace = Pace(8, 10, clock=time.clock, sleep=time.sleep)
    for _ in range(31):
        turn(pace)
    assert time.now == pytest.approx(3.0), "31 values at 10 a second: the last begins after 3 s"


def test_without_a_rate_nobody_waits() -> None:
    time = Time()
    pace = Pace(2, clock=time.clock, sleep=time.sleep)
    for _ in range(100):
        turn(pace)
    assert time.slept == []


def test_throttling_halves_once_for_what_began_before_it_and_grows_back() -> None:
    time = Time()
    pace = Pace(32, clock=time.clock, sleep=time.sleep)
    began = [pace.enter(threading.Event()) for _ in range(32)]
    time.now = 1
    for start in began:
        assert start is not None
        pace.leave(start, throttled=True)
    assert pace.width == 16, "32 values that met the same wave are one reason to slow down"
    for _ in range(10):
        time.now += 1
        turn(pace, throttled=True)
    assert pace.width == 1, "never less than one"
    turns = 0
    while pace.width < 32:
        turn(pace)
        turns += 1
        assert turns < 1000, "it must recover"
    assert turns > 100, "one more each time all have had their turn, not at once"


def test_no_more_than_its_width_are_ever_at_work() -> None:
    pace = Pace(4)
    working, most, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal working, most
        began = pace.enter(threading.Event())
        assert began is not None
        with lock:
            working += 1
            most = max(most, working)
        with lock:
            working -= 1
        pace.leave(began)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(500)))
    assert most <= 4


def test_who_waits_for_a_turn_leaves_when_it_is_stopped() -> None:
    pace, stop = Pace(1), threading.Event()
    assert pace.enter(stop) is not None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pace.enter, stop)
        stop.set()
        assert waiting.result(5) is None


def test_a_budget_is_never_overdrawn_and_a_value_larger_than_it_goes_alone() -> None:
    budget, lock = Budget(1_000_000), threading.Lock()
    held, most = 0, 0

    def work(size: int) -> None:
        nonlocal held, most
        with budget.taken(size):
            with lock:
                held += min(size, 1_000_000)
                most = max(most, held)
            with lock:
                held -= min(size, 1_000_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [300_000, 900_000, 5_000_000, 100_000] * 50, timeout=30))
    assert most <= 1_000_000


@pytest.mark.parametrize(
    ("name", "value"), [("threads", 0), ("memory", 0), ("part", -1), ("attempts", 0), ("rate", 0.0)]
)
def test_options_that_cannot_be_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        CopyOptions(**{name: value})  # type: ignore[arg-type]


def test_progress_is_told_at_most_five_times_a_second_and_once_at_the_end() -> None:
    time, told = Time(), list[Progress]()
    gauge = Gauge(told.append, 10, 110, time.clock)
    for _ in range(100):
        time.now += 0.05
        gauge.done += 1
        gauge.bytes += 10
        gauge.tell()
    gauge.tell(last=True)
    assert len(told) <= 27, "5 s of work"
    assert (told[-1].done, told[-1].total, told[-1].eta) == (110, 110, 0)
    middle = told[len(told) // 2]
    assert middle.rate == pytest.approx(20, rel=0.1)
    assert middle.bytes_per_second == pytest.approx(200, rel=0.1)
    assert middle.eta == pytest.approx((110 - middle.done) / 20, rel=0.1)
