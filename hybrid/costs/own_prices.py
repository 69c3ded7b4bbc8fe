"""What pods that are up all the time cost, by what a team says its cluster's processors and memory cost."""

from __future__ import annotations

from dataclasses import dataclass

from hybrid.costs.estimate import HOURS, Estimate, Line


@dataclass(frozen=True)
class OwnPrices:
    """In US dollars an hour."""

    as_of: str
    """The month in which they were said, YYYY-MM."""
    vcpu: float
    memory_gib: float
    region: str = "the team's own"

    @property
    def remark(self) -> str:
        return (
            f"The team's own prices of {self.as_of} (hybrid:kubernetes.prices), for what pods request. What requests "
            "nothing counts as nothing; runs, disks and room of the nodes that nobody requests come on top."
        )


@dataclass(frozen=True)
class PodSize:
    """What pods of one kind request. ``vcpu`` in processors, ``memory`` in GiB."""

    what: str
    vcpu: float
    memory: float
    count: int = 1


def estimate(pods: tuple[PodSize, ...], prices: OwnPrices) -> Estimate:
    """What ``pods`` cost a month."""
    return Estimate.of(
        (
            Line(pod.what, pod.count, pod.count * HOURS * (pod.vcpu * prices.vcpu + pod.memory * prices.memory_gib))
            for pod in pods
        ),
        prices,
    )
