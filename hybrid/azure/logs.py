"""What containers of an environment printed, from its Log Analytics workspace.

Azure puts lines there some minutes after they were printed; the table is made with the first one
(https://learn.microsoft.com/azure/container-apps/log-monitoring).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from hybrid.azure.errors import AzureError, refused

if TYPE_CHECKING:
    from hybrid.azure.session import Azure

ENDPOINT: Final = "https://api.loganalytics.io"
_WORKSPACES: Final = "2023-09-01"
_SECONDS: Final = 60


@dataclass(frozen=True)
class LoggedLine:
    """One line."""

    at: datetime
    text: str
    source: str
    """The replica that printed it."""


def lines_of(
    azure: Azure, workspace_id: str, name: str, *, job: bool, lines: int, since: timedelta, endpoint: str = ENDPOINT
) -> list[LoggedLine]:
    """The last ``lines`` that the container app ``name`` printed, or the job of that name, the oldest first.

    ``workspace_id``: the workspace's id in Azure Resource Manager. Raises ``AzureError``.
    """
    found = azure.get(workspace_id, _WORKSPACES, doing="look at the Log Analytics workspace")
    customer = (found.get("properties") or {}).get("customerId")
    answer = _asked(azure, f"{endpoint}/v1/workspaces/{customer}/query", _query(name, job, lines), since)
    return sorted(_lines(answer), key=lambda line: line.at)


def _query(name: str, job: bool, lines: int) -> str:
    """In Kusto; ``name`` has letters, digits and hyphens, being the name of a thing in Azure."""
    if not name.replace("-", "").isalnum():
        raise ValueError(f"no name of a container app or a job: {name!r}")
    column = "ContainerJobName_s" if job else "ContainerAppName_s"
    return (
        f"union isfuzzy=true ContainerAppConsoleLogs_CL | where column_ifexists('{column}', '') == '{name}' "
        f"| top {int(lines)} by TimeGenerated desc "
        "| project TimeGenerated, Log_s, Source = column_ifexists('ContainerGroupName_s', '')"
    )


def _asked(azure: Azure, url: str, query: str, since: timedelta) -> Mapping[str, Any]:
    import httpx

    doing = "read logs in Log Analytics"
    token = azure.token(f"{ENDPOINT}/.default", doing=doing)
    span = f"PT{max(1, int(since.total_seconds()))}S"
    try:
        answer = httpx.post(
            url,
            json={"query": query, "timespan": span},
            headers={"Authorization": f"Bearer {token}"},
            timeout=_SECONDS,
        )
        document = answer.json()
    except (httpx.HTTPError, ValueError) as fault:
        raise AzureError(
            "Log Analytics does not answer.", why=type(fault).__name__, next_step="run the same command again."
        ) from None
    if answer.status_code != 200:
        error = document.get("error") if isinstance(document, Mapping) else None
        told: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
        raise refused(doing, answer.status_code, str(told.get("code", "")), str(told.get("message", "")))
    return document if isinstance(document, Mapping) else {}


def _lines(answer: Mapping[str, Any]) -> Iterator[LoggedLine]:
    for table in answer.get("tables") or ():
        columns = [column["name"] for column in table["columns"]]
        for row in table["rows"]:
            told = dict(zip(columns, row, strict=True))
            at = datetime.fromisoformat(str(told["TimeGenerated"]))
            yield LoggedLine(at, str(told.get("Log_s") or ""), str(told.get("Source") or ""))
