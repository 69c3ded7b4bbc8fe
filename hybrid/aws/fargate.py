"""The sizes that a Fargate task may have: pairs of processor units and memory, and its scratch disk.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size, Linux,
platform version 1.4.0.
"""

from __future__ import annotations

from typing import Final

_GIB: Final = 1024  # MiB

MEMORY: Final[dict[int, tuple[int, ...]]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: tuple(range(1 * _GIB, 4 * _GIB + 1, _GIB)),
    1024: tuple(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: tuple(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: tuple(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
    8192: tuple(range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB)),
    16384: tuple(range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB)),
}
"""By processor units (1024 are one vCPU), the memory in MiB that a task may have with them."""

EPHEMERAL_GIB: Final = (21, 200)
"""The smallest and largest scratch disk that can be asked for, in GiB; 20 come without asking."""


def size_problem(cpu: int, memory: int) -> str | None:
    """Why Fargate has no task of ``cpu`` units and ``memory`` MiB, with the nearest ones that it has; None: it has."""
    if cpu not in MEMORY:
        near = " or ".join(str(units) for units in _nearest(cpu, tuple(MEMORY)))
        return f"Fargate has no task with {cpu} processor units; the nearest are {near} (1024 are one vCPU)"
    if memory in MEMORY[cpu]:
        return None
    near = " or ".join(str(size) for size in _nearest(memory, MEMORY[cpu]))
    sentence = f"Fargate has no task with {cpu} processor units and {memory} MiB; with {cpu} the nearest are {near} MiB"
    fitting = [units for units, sizes in MEMORY.items() if memory in sizes]
    return f"{sentence}, and {memory} MiB go with {_listed(fitting)} units" if fitting else sentence


def text_size_problem(cpu: str, memory: str) -> str | None:
    """The same for sizes as a location writes them: texts of digits."""
    for what, said in (("cpu", cpu), ("memory", memory)):
        if not (said.isascii() and said.isdigit()):
            return (
                f"`{what}` is `{said[:20]}`; the agent counts in digits alone, cpu in units of which 1024 are one "
                'vCPU, memory in MiB: cpu "1024" and memory "4096"'
            )
    return size_problem(int(cpu), int(memory))


def _nearest(wanted: int, among: tuple[int, ...]) -> tuple[int, ...]:
    """The largest that is smaller and the smallest that is larger, as far as there are such."""
    below = [one for one in among if one < wanted][-1:]
    above = [one for one in among if one > wanted][:1]
    return (*below, *above)


def _listed(numbers: list[int]) -> str:
    texts = [str(number) for number in numbers]
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
