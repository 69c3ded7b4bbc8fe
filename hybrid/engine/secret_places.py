"""Where on a stack's platform secrets of code may lie, for the command line, which knows stacks by this room alone."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stacks.identity import StackIdentity


def aws_place(who: StackIdentity) -> tuple[str, str] | None:
    """Account and region; None: not in AWS."""
    aws = who.settings.aws
    return None if aws is None else (aws.account, aws.region)


def cluster_place(who: StackIdentity) -> tuple[str, str] | None:
    """The namespace and the options by which kubectl finds the cluster, with a blank before; None: in no cluster."""
    if who.settings.kubernetes is None:
        return None
    from stacks.kubernetes_facts import KubernetesFacts

    facts = KubernetesFacts(who)
    options = "".join(f" --{name} {shlex.quote(value)}" for name, value in sorted(facts.cluster.items()))
    return facts.names.namespace, options
