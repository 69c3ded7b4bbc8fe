"""The steps of a switch in the words of a plan: what each does, what becomes of it when it fails, how long it takes.

Names and order are those of the walk. Times are assumptions, stated with each; a rehearsal measures them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from hybrid.switch.plan import PlannedStep, Span, Strategy, Undo
from hybrid.switch.platform_times import times_on

_HARMLESS: Final = frozenset({"switch", "serve", "loaded"})
"""By queue: whatever becomes of them, locations keep their agent."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What times depend on. ``runs`` in progress, None: not known."""

    agent: str
    """Its kind."""
    locations: int
    assets: int
    assets_known: bool
    instigators: int
    runs: int | None
    stands_by: bool = False
    """Whether the agent takes no work until the hand-over, and starts anew with it."""


def steps(sizes: Sizes, strategy: Strategy) -> tuple[PlannedStep, ...]:
    """All of them, in order."""
    before, still, over, after = _before(sizes), _still(sizes), _over(sizes, strategy), _after(sizes)
    if strategy is Strategy.AT_ONCE:
        return (*before, *still, *over, *after)
    found = (*_on_queue(before), *still, *_moved(sizes), *over[:-1], *after, _late(over[-1]))
    # the agent type says little by then: who takes what is said by queues
    return tuple(replace(each, undo=Undo.FREE) if each.name in _HARMLESS else each for each in found)


def downtime(planned: tuple[PlannedStep, ...], strategy: Strategy) -> Span:
    """From the last moment at which Serverless could take work to the first at which every location is loaded."""
    if strategy is Strategy.BY_QUEUE:
        return Span(0.0, 0.0, "Each location is loaded on Hybrid before the agent type changes.")
    by_name = {each.name: each.takes for each in planned}
    total = by_name["switch"].plus(by_name["serve"]).plus(by_name["loaded"]).plus(by_name["departure"])
    return Span(total.low, total.high, "the steps switch, serve, loaded and departure together; the last two overlap")


def _before(sizes: Sizes) -> tuple[PlannedStep, ...]:
    built = Span(20.0 * sizes.locations, 300.0 * sizes.locations)
    stands = Span(*times_on(sizes.agent).stands)
    copied = _copied(sizes)
    return (
        PlannedStep(
            "preflight",
            "look whether the plan still holds",
            "Asks Dagster+ and compares with the state that the plan was made for; changes nothing.",
            "The plan is refused; make a new one.",
            Undo.FREE,
            "There is nothing to undo.",
            Span(1, 20, "Dagster+ answers a question in up to a second"),
            ("agent_type", "right_to_switch", "right_to_edit_locations", "locations_served"),
        ),
        PlannedStep(
            "prepare",
            "stand up the stack beside Serverless",
            "`hybrid up` in the phase prepare: infrastructure, images, secrets, the agent, which "
            "takes no work until the hand-over where it could not load what Serverless runs. No location is touched.",
            "Serverless goes on as before; mend the cause and go on with --resume.",
            Undo.FREE,
            "`hybrid down` takes it away.",
            Span(
                stands.low + built.low,
                (stands.high or 0) + (built.high or 0),
                "an image takes 20 to 300 s to build and push, one after the other; none when it is there already",
            ),
            ("images", "findings", "clean_preview", "io_manager"),
        ),
        PlannedStep(
            "agent",
            "see the Hybrid agent RUNNING",
            "Waits for its heartbeat, if Dagster+ shows one on a Serverless deployment: not known, found out.",
            "When none is shown the walk goes on and says so; an agent that ends with an error stops it.",
            Undo.FREE,
            "There is nothing to undo.",
            Span(
                *times_on(sizes.agent).heartbeat,
                "an agent reports every 30 s; a task in a cloud takes half a minute to start",
            ),
        ),
        PlannedStep(
            "copy_values",
            "copy stored asset values",
            "`hybrid assets copy`: from Serverless's storage to the stack's, by manifest; what is there is left.",
            "Values that were copied stay; --resume goes on from there. Serverless is only read.",
            Undo.FREE,
            "Copies stay where they are and are read by nobody.",
            copied,
            ("values_copied",),
        ),
        PlannedStep(
            "gate",
            "check every location",
            "`hybrid locations check`: its document, its releases, its definitions in its own environment.",
            "Mend what it names; nothing was changed.",
            Undo.FREE,
            "There is nothing to undo.",
            Span(5.0 * sizes.locations, 60.0 * sizes.locations, "a check takes 5 to 60 s a location"),
            ("locations_load_now",),
        ),
    )


def _copied(sizes: Sizes) -> Span:
    why = "a value takes 5 to 50 ms; how many there are of an asset `hybrid assets plan` tells"
    if not sizes.assets_known:
        return Span(5, None, f"not all locations say which assets they have; {why}")
    return Span(5 + 0.005 * sizes.assets, None if sizes.assets else 5, why)


def _on_queue(before: tuple[PlannedStep, ...]) -> tuple[PlannedStep, ...]:
    """The same, but the agent has its own queue, and has to be seen."""
    words: dict[str, dict[str, Any]] = {
        "prepare": {
            "does": "`hybrid up` in the phase prepare: infrastructure, images, secrets, the agent, which takes a queue "
            "of the stack's own (`hybrid:ownQueue`) and not Serverless's. No location is touched.",
            "needs": ("images", "findings", "clean_preview", "io_manager", "agent_queue"),
        },
        "agent": {
            "does": "Waits for its heartbeat: a location that moves to an agent that is not seen could be without one.",
            "if_it_fails": "Nothing is moved. Where Dagster+ shows no Hybrid agent, the way left is all at once.",
        },
    }
    return tuple(replace(each, **words.get(each.name, {})) for each in before)


def _moved(sizes: Sizes) -> tuple[PlannedStep, ...]:
    low, high = times_on(sizes.agent).loads
    return (
        PlannedStep(
            "move",
            "move locations one at a time to the agent's own queue",
            "`hybrid up` with one location more on the stack's queue, until it is loaded on Hybrid and answers, then "
            "the next. Serverless serves those that are left. While a location loads its queue has an agent, and what "
            "asks its code itself waits or is refused.",
            "The location gets its former document back and is on Serverless again; the others stay where they are.",
            Undo.FREE,
            "The former documents are put back, one at a time.",
            Span(
                (low + 3) * sizes.locations,
                (high + 20) * sizes.locations,
                f"an `up` takes 3 to 20 s and loading {low:.0f} to {high:.0f} s a location, one after the other",
            ),
            ("agent_queue",),
        ),
        PlannedStep(
            "drain_rest",
            "let runs end that began on Serverless meanwhile",
            "Waits for runs that people launched before their location was moved, or cancels them when told so.",
            "The time is over: the walk stops, every location is on Hybrid, the agent type as it was.",
            Undo.NO,
            "A run that was cancelled stays so.",
            Span(0, 1800, "half an hour is waited; schedules and sensors were off, so there are few"),
            ("right_to_launch",),
        ),
    )


def _late(departure: PlannedStep) -> PlannedStep:
    return replace(
        departure,
        does="Waits until it is INACTIVE. Nothing depends on it: no location is on its queue any more.",
        if_it_fails="It is said and, unless told otherwise, that is the end: all is on Hybrid, schedules are on.",
    )


def _still(sizes: Sizes) -> tuple[PlannedStep, ...]:
    turned = Span(
        0.2 * sizes.instigators, 1.0 + sizes.instigators, "a schedule or sensor is turned off or on in up to a second"
    )
    drained = (
        Span(0, 1800, "half an hour is waited for runs in progress; how long they take nobody knows")
        if sizes.runs != 0
        else Span(0, 60, "no run was in progress")
    )
    return (
        PlannedStep(
            "pause",
            "pause schedules and sensors",
            "Notes which are on, then stops them; nothing starts by itself from here on, and downtime has not begun.",
            "What was on is noted before the first is stopped; `hybrid switch resume` turns it on again.",
            Undo.FREE,
            "`hybrid switch resume`; ticks that were missed are not made up for.",
            turned,
        ),
        PlannedStep(
            "drain",
            "let runs end",
            "Waits for runs in progress, or cancels them when told so.",
            "The time is over: the walk stops, everything is still Serverless.",
            Undo.NO,
            "A run that was cancelled stays so.",
            drained,
            ("right_to_launch",),
        ),
        PlannedStep(
            "copy_rest",
            "copy what was stored meanwhile",
            "`hybrid assets copy` again: what is newer than its copy.",
            "As copy_values; nothing is switched before it has ended well.",
            Undo.FREE,
            "Copies stay where they are.",
            Span(2, 300, "what was stored since the first copy is a small part"),
        ),
        PlannedStep(
            "verify_values",
            "verify stored values",
            "`hybrid assets verify`: every value's size and checksum on both sides.",
            "The walk stops, everything is still Serverless; what differs is named.",
            Undo.FREE,
            "There is nothing to undo.",
            Span(2, 600, "a value is compared in up to 50 ms"),
        ),
        PlannedStep(
            "documents",
            "keep what Serverless runs now",
            "Writes each location's document into the journal, right before the hand-over, for the way back.",
            "Nothing was changed.",
            Undo.FREE,
            "There is nothing to undo.",
            Span(1, 10),
        ),
    )


def _over(sizes: Sizes, strategy: Strategy) -> tuple[PlannedStep, ...]:
    by_queue = strategy is Strategy.BY_QUEUE
    times = times_on(sizes.agent)
    low, high = (1.0, 5.0) if by_queue else times.all_loaded(sizes.locations)
    how = "one after the other" if any(times.further) and not by_queue else "beside each other"
    anew = ", by an agent that starts anew" if sizes.stands_by and not by_queue else ""
    if anew:
        low, high = low + times.heartbeat[0], high + times.heartbeat[1]
    return (
        PlannedStep(
            "switch",
            "change the agent type to HYBRID",
            "`updateDeploymentAgentType`; where the token may not, the page and the button are shown and it waits."
            + ("" if by_queue else " Downtime begins."),
            "An answer that was lost: the agent type is read before it is tried again.",
            Undo.WITH_DOWNTIME,
            "`hybrid switch back`: SERVERLESS again, the former documents put back, once its agent is RUNNING.",
            Span(1, 10, "one call; with a person at the button it is as long as that takes"),
            ("right_to_switch",),
        ),
        PlannedStep(
            "serve",
            "register the locations",
            "`hybrid up` in the phase serve: every location's document with its new image.",
            "--resume repeats it; --return-after goes back by itself when the time is over.",
            Undo.WITH_DOWNTIME,
            "`hybrid switch back`.",
            Span(2, 30, "images are built and pushed by then; it is told, not made"),
        ),
        PlannedStep(
            "loaded",
            "see every location loaded from its image",
            "Waits until the agent is RUNNING and each location is loaded, by the digest that was sent."
            + ("" if by_queue else " Downtime ends."),
            "What failed is named with its error: mend it and --resume, or `hybrid switch back`.",
            Undo.WITH_DOWNTIME,
            "`hybrid switch back`.",
            Span(
                low,
                high,
                f"all locations load {how}{anew}, in {low:.0f} to {high:.0f} s on {sizes.agent}",
            ),
        ),
        PlannedStep(
            "departure",
            "see the Serverless agent gone",
            "Waits until it is INACTIVE, so that no run is taken twice.",
            "It is said and, unless told otherwise, the walk goes on: all is loaded on Hybrid by then.",
            Undo.FREE,
            "There is nothing to undo.",
            Span(0, 300, "how long Serverless takes to go is not known; 0 to 300 s are rehearsed"),
        ),
    )


def _after(sizes: Sizes) -> tuple[PlannedStep, ...]:
    return (
        PlannedStep(
            "smoke",
            "run one job",
            "Launches the run that was named, and waits for its end.",
            "The walk stops with schedules still paused: look at the run, then --resume or `hybrid switch back`.",
            Undo.NO,
            "The run stays in the history.",
            Span(
                *times_on(sizes.agent).run,
                "a run worker starts, and a harmless job runs",
            ),
            ("right_to_launch",),
        ),
        PlannedStep(
            "resume",
            "turn schedules and sensors on as before",
            "Exactly those that were on; what is gone from the code is named.",
            "It can be repeated: what is on already is left.",
            Undo.FREE,
            "`hybrid switch pause`.",
            Span(0.2 * sizes.instigators, 1.0 + sizes.instigators),
        ),
    )
