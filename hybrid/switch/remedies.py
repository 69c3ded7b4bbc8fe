"""What is done about each kind of finding, in one line: for reports. The plan says it in full."""

from __future__ import annotations

from typing import Final

from hybrid.switch.finding import FindingKind

REMEDIES: Final[dict[FindingKind, str]] = {
    FindingKind.PEX_BUILD: "a Dockerfile from its requirements (hybrid switch plan --write)",
    FindingKind.DOCKER_HOOKS: "a Dockerfile that runs the hooks in the same order (hybrid switch plan --write)",
    FindingKind.BASE_IMAGE: "the FROM of that Dockerfile",
    FindingKind.EXECUTABLE_PATH: "keep it only if the new image has that path",
    FindingKind.LEGACY_FILE: "nothing, or hybrid locations convert",
    FindingKind.SERVERLESS_WORKFLOW: "hybrid ci init, and take the old file away",
    FindingKind.DEFAULT_IO_MANAGER: "hybrid:assetValues.ioManager in the stack file",
    FindingKind.SERVERLESS_VARIABLE: "take the reading out, or set a variable of your own",
    FindingKind.SERVERLESS_LIBRARY: "take the import or the extra out",
    FindingKind.NON_ISOLATED_RUNS: "in_process_executor, multiprocess_executor, or the tag dagster/isolation",
    FindingKind.SECRET: "stays in Dagster+, or moves to a secret manager",
    FindingKind.STORED_VALUES: "hybrid assets copy, before the switch",
    FindingKind.NO_IMAGE: "an image from its Dockerfile, in your own registry (hybrid switch plan --write)",
    FindingKind.RELEASES: "add dagster-cloud to its requirements",
    FindingKind.UNKNOWN_LOCATION: "find its repository, or remove it from Dagster+",
    FindingKind.NOT_LOADED: "mend it on Serverless first",
    FindingKind.ALERT_POLICY: "tell whoever is called, or turn it off meanwhile",
    FindingKind.BRANCH_DEPLOYMENTS: "branchDeployments in hybrid:agent, and deploy them again",
    FindingKind.RUNS_IN_FLIGHT: "hybrid switch drain",
    FindingKind.RIGHTS: "a token with that role, or somebody who has it",
    FindingKind.UNREADABLE: "look into it by hand",
    FindingKind.INSTIGATORS: "hybrid switch pause, and resume after it",
    FindingKind.AGENT_TYPE: "nothing",
}


def shown(text: str) -> str:
    """``text`` on one line, without characters that move a cursor, turn writing around or cannot be seen."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
