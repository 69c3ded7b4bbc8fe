"""Findings that no file mends: what is done about each."""

from __future__ import annotations

from typing import Final

from hybrid.switch.finding import Finding, FindingKind
from hybrid.switch.fixes.fix import Fix

_WORDS: Final = {
    FindingKind.STORED_VALUES: (
        "stored values are copied",
        "`hybrid assets copy` before the switch, `hybrid assets verify` after it; the plan has both as steps.",
    ),
    FindingKind.RELEASES: (
        "releases that agree",
        "Let the location's requirements name a dagster and dagster-cloud that the agent's release takes; "
        "`hybrid locations check` says which.",
    ),
    FindingKind.UNKNOWN_LOCATION: (
        "a location without a folder",
        "Name its folder or image in `hybrid:locations` of the stack's file, or remove it in Dagster+: a location that "
        "nothing serves after the switch stays there and does not load.",
    ),
    FindingKind.ALERT_POLICY: (
        "alerts",
        "Alert policies stay; those about agents begin to mean yours. Mute them for the time of the switch.",
    ),
    FindingKind.BRANCH_DEPLOYMENTS: (
        "branch deployments",
        "They have the agent type of their parent. Close those that nobody needs; the others are built anew by "
        "`hybrid branch deploy` once an agent serves them.",
    ),
    FindingKind.RUNS_IN_FLIGHT: (
        "runs in flight",
        "`hybrid switch drain` waits for them, or cancels them when told so: a run on Serverless ends with its agent.",
    ),
    FindingKind.SERVERLESS_LIBRARY: (
        "what only Serverless has is taken out",
        "Remove the import of dagster_cloud.serverless, or the extra from the requirements: the stack's own IO manager "
        "stores in the same form (`hybrid:assetValues.ioManager`).",
    ),
    FindingKind.NOT_LOADED: (
        "a location that does not load",
        "Mend it on Serverless first; otherwise nobody can tell afterwards what the switch has broken.",
    ),
    FindingKind.UNREADABLE: ("a file that cannot be read", "Look into it by hand."),
    FindingKind.INSTIGATORS: (
        "schedules and sensors",
        "`hybrid switch pause` notes which are on and stops them; `hybrid switch resume` turns on exactly those.",
    ),
    FindingKind.AGENT_TYPE: ("the agent type", "It is HYBRID already: there is nothing to switch."),
    FindingKind.RIGHTS: (
        "rights",
        "Have somebody with the role Organization Admin make a user token, or press the button that the plan names.",
    ),
}


def fix_by_words(finding: Finding) -> Fix:
    """The way on in a sentence; of a kind that has none, what was found and why it matters."""
    if finding.kind is FindingKind.BASE_IMAGE:
        return _base_image(finding)
    title, way = _WORDS.get(finding.kind, (finding.what, finding.why))
    return Fix(finding, title, by_hand=(way,))


def _base_image(finding: Finding) -> Fix:
    """One with a name of its own is taken over; a tag in Serverless's registry is nothing that can be pulled."""
    if image := finding.facts.get("image"):
        return Fix(
            finding, f"{image} is what the Dockerfile starts from", notes=("Builds have to be able to pull it.",)
        )
    way = (
        "It is a tag in Serverless's registry, which cannot be pulled from elsewhere: push that image to a registry of "
        "your own, and give it as the argument BASE_IMAGE of the Dockerfile."
    )
    return Fix(finding, "the base image", by_hand=(way,))
