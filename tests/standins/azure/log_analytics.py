"""Log Analytics of the stand-in, as far as this project asks it: the console lines of one app or job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.standins.azure.answer import Answer, error

if TYPE_CHECKING:
    from tests.standins.azure.arm import FakeArm

_WORKSPACES: Final = "Microsoft.OperationalInsights/workspaces"
_QUERY: Final = re.compile(
    r"union isfuzzy=true ContainerAppConsoleLogs_CL "
    r"\| where column_ifexists\('Container(?:App|Job)Name_s', ''\) == '([a-z0-9-]+)' "
    r"\| top (\d+) by TimeGenerated desc "
    r"\| project TimeGenerated, Log_s, Source = column_ifexists\('ContainerGroupName_s', ''\)"
)


def answered(arm: FakeArm, who: str, path: str, body: Mapping[str, Any]) -> Answer:
    """One question of ``who``. Azure has lines some minutes later; here they are there at once."""
    customer = re.sub(r"/v1/workspaces/([^/]+)/query", r"\1", path)
    found = [each for each in arm.resources.of_kind(_WORKSPACES) if each.body["properties"]["customerId"] == customer]
    if not found:
        return error(404, "WorkspaceNotFoundError", path)
    refusal = arm.resources.refused(who, f"{_WORKSPACES}/query/read", found[0].address.id)
    if refusal:
        return refusal
    asked = _QUERY.fullmatch(str(body.get("query")))
    if asked is None:
        return error(400, "BadArgumentError", f"the stand-in knows no query {body.get('query')!r}")
    if not any(_logs_to(each.body, customer) for each in arm.resources.of_kind("Microsoft.App/managedEnvironments")):
        return Answer(200, {"tables": []})
    lines = [(at, text) for each in arm.printed.get(asked[1], ()) for at, text in each.lines()]
    rows = [[at.isoformat(), text, f"{asked[1]}-0"] for at, text in sorted(lines, reverse=True)[: int(asked[2])]]
    columns = [{"name": name} for name in ("TimeGenerated", "Log_s", "Source")]
    return Answer(200, {"tables": [{"columns": columns, "rows": rows}]})


def _logs_to(environment: Mapping[str, Any], customer: str) -> bool:
    logs = environment["properties"].get("appLogsConfiguration") or {}
    return bool((logs.get("logAnalyticsConfiguration") or {}).get("customerId") == customer)
