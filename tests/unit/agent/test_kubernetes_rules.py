"""The rules of the Roles, as data and on the page. That a cluster with them lets the agent work, and refuses when one
is missing, is for tests/kubernetes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.kubernetes_reference import written_into
from agent.kubernetes_rules import AGENT_RULES, STEP_RULES

pytestmark = pytest.mark.unit

PAGE = Path(__file__).resolve().parents[3] / "docs" / "kubernetes.md"


def verbs_on(resource: str) -> set[str]:
    return {verb for rule in AGENT_RULES if resource in rule.resources for verb in rule.verbs}


def test_the_page_has_the_rules_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written_into(page), "run `make docs`"
    with pytest.raises(ValueError, match="rules of the agent"):
        written_into("no marks")


@pytest.mark.parametrize("rule", [*AGENT_RULES, *STEP_RULES], ids=lambda rule: rule.resources[0])
def test_each_rule_names_what_it_gives_and_why(rule) -> None:
    assert "*" not in {rule.group, *rule.resources, *rule.verbs}, "everything is more than anybody needs"
    assert rule.why.endswith("."), "a right without a reason is never taken back"


def test_the_agent_reads_no_secret_opens_no_shell_and_gives_nobody_rights() -> None:
    for resource in ("secrets", "pods/exec", "pods/attach", "roles", "rolebindings", "serviceaccounts", "nodes"):
        assert not verbs_on(resource), f"the agent never asks for {resource}"
    every = {verb for rule in AGENT_RULES for verb in rule.verbs}
    assert not every & {"watch", "patch", "deletecollection", "escalate", "bind", "impersonate"}


def test_no_verb_is_given_twice() -> None:
    given = [(rule.group, resource, verb) for rule in AGENT_RULES for resource in rule.resources for verb in rule.verbs]
    assert len(given) == len(set(given)), "removing one of two would turn nothing red"
