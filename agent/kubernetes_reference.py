"""The rules of Kubernetes' Roles as Markdown, from the rules themselves: a part of docs/kubernetes.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.kubernetes_rules import AGENT_RULES, STEP_RULES, Rule

AGENT_TABLE: Final = "rules of the agent"
STEP_TABLE: Final = "rules of steps"


def table(rules: Sequence[Rule]) -> str:
    """A line a rule: resources with their group, verbs, and the reason."""
    lines = ["| resources | verbs | why |", "|---|---|---|"]
    for rule in rules:
        group = f" ({rule.group})" if rule.group else ""
        resources = ", ".join(f"`{resource}`" for resource in rule.resources)
        lines.append(f"| {resources}{group} | {', '.join(rule.verbs)} | {rule.why} |")
    return "\n".join(lines)


def written_into(page: str) -> str:
    """``page`` with its tables anew, each between ``<!-- NAME -->`` and ``<!-- end -->``.

    Raises ``ValueError`` when the page has not the marks.
    """
    for name, rules in ((AGENT_TABLE, AGENT_RULES), (STEP_TABLE, STEP_RULES)):
        start, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, mark, rest = page.partition(start)
        _, close, after = rest.partition(end)
        if not mark or not close:
            raise ValueError(f"the page has no place for the {name}")
        page = f"{before}{start}{table(rules)}\n{end}{after}"
    return page


if __name__ == "__main__":
    import sys

    path = Path(sys.argv[1])
    path.write_text(written_into(path.read_text(encoding="utf-8")), encoding="utf-8")
