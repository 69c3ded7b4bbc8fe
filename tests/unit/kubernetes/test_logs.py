"""Log lines of pods: the end, from a moment on, and as they come."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest

from hybrid.kubernetes import logs
from hybrid.kubernetes.workloads import NEVER, pod_of
from tests.unit.kubernetes.fake_cluster import NAMESPACE

pytestmark = pytest.mark.unit


def at(second, text):
    return f"2026-11-21T12:00:{second:02d}.123456789Z {text}"


class Over(Exception):
    pass


def test_the_last_lines_are_those_of_the_container_that_ended_badly(fake, cluster):
    statuses = [
        {"name": "dagster", "ready": True, "state": {"running": {}}},
        {"name": "proxy", "ready": False, "state": {"terminated": {"exitCode": 1}}},
    ]
    pod = pod_of(fake.pod("p", statuses=statuses))
    fake.logs["p", "proxy", False] = "\n".join(at(number, f"line {number}") for number in range(9))
    assert logs.lines_of(cluster, pod, 2) == ["line 7", "line 8"]
    assert logs.lines_of(cluster, pod, 2, "nobody") == []


def test_a_pod_that_has_not_begun_has_no_lines_and_nobody_is_asked(fake, cluster):
    pod = pod_of(fake.pod("p", phase="Pending", statuses=[{"name": "dagster", "state": {"waiting": {}}}]))
    assert logs.lines_of(cluster, pod) == []
    assert logs.lines_since(cluster, [pod], NEVER) == []
    assert fake.calls == []


def test_lines_of_several_pods_come_in_their_order_from_the_moment_on(fake, cluster):
    pods = [pod_of(fake.pod(name)) for name in ("p", "q", "gone")]
    fake.logs["p", "dagster", False] = "\n".join([at(1, "old"), at(3, "third")])
    fake.logs["q", "dagster", False] = at(2, "second")
    fake.remove("pods", NAMESPACE, "gone")
    found = logs.lines_since(cluster, pods, datetime(2026, 11, 21, 12, 0, 2, tzinfo=UTC))
    assert [(line.pod, line.message) for line in found] == [("q", "second"), ("p", "third")]


def test_lines_that_are_followed_come_once_each_also_equal_ones_and_from_a_pod_that_takes_over(fake, cluster):
    pods = [pod_of(fake.pod("p"))]
    fake.logs["p", "dagster", False] = "\n".join([at(1, "first"), at(2, "tick"), at(2, "tick")])
    looks = []

    def wait(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            fake.logs["p", "dagster", False] += "\n" + at(2, "tick") + "\n" + at(3, "last of p")
        if len(looks) == 3:
            fake.remove("pods", NAMESPACE, "p")
            pods[:] = [pod_of(fake.pod("q"))]
            fake.logs["q", "dagster", False] = at(4, "first of q")
        if len(looks) == 5:
            raise Over

    found = []
    with contextlib.suppress(Over):
        for line in logs.followed(cluster, lambda: pods, NEVER, wait):
            found.append(line.message)
    assert found == ["first", "tick", "tick", "tick", "last of p", "first of q"]


def test_lines_are_redacted_and_what_is_cut_off_is_left_out(fake, cluster):
    pod = pod_of(fake.pod("p"))
    fake.logs["p", "dagster", False] = "cut in the middle\n" + at(1, "token: abcdef0123456789abcdef")
    assert [line.message for line in logs.lines_since(cluster, [pod], NEVER)] == ["token: [redacted]"]
