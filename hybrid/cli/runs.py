"""``hybrid run``: launch a job through Dagster+, watch it, end with its result."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json
from hybrid.errors import RunFailedError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.plus import PlusClient, RunEvent

_POLL_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    app.command()(run)


def run(
    stack: Annotated[str, typer.Argument(help="The stack whose deployment runs it.", metavar="STACK")],
    location: Annotated[str, typer.Argument(help="The code location.", metavar="LOCATION")],
    job: Annotated[str, typer.Argument(help="The job.", metavar="JOB")],
    partition: Annotated[str | None, typer.Option("--partition", help="The partition key.")] = None,
    config: Annotated[str, typer.Option("--config", help="Run configuration, as JSON.")] = "{}",
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag KEY=VALUE; may be repeated.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch the run to its end.")] = True,
    as_json: Json = False,
) -> None:
    """Launch a job and stream its events. Ends with 0 on SUCCESS, 9 on FAILURE or CANCELED. Ctrl-C only stops watching.

    Examples: [bold]hybrid run local hello greet[/]  ·  [bold]hybrid run local hello stocktake --partition berlin[/]
    """
    from hybrid.cli.console import answer_json, note, out
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import identity

    tags, run_config = _tags(tag or []), _config(config)
    who = identity(Workspace.of_this_checkout(), stack)
    if partition is not None:
        tags["dagster/partition"] = partition
    with client_of(who, patient=True) as client:
        run_id = client.launch_run(location, job, run_config=run_config, tags=tags)
        note(f"Run {run_id}  {who.page}/runs/{run_id}")
        status = client.run(run_id).status
        try:
            if wait:
                for event in _events(client, run_id):
                    if not as_json:
                        out.print(_line(event))
                status = client.run(run_id).status
        except KeyboardInterrupt:
            note(f"No longer watching; the run goes on. To end it: the run's page, or `hybrid logs {stack} -f`.")
            raise
    if as_json:
        answer_json({"run_id": run_id, "status": status, "url": f"{who.page}/runs/{run_id}"})
    if wait and status != "SUCCESS":
        raise RunFailedError(
            f"The run of {job} in {location} ended in {status}.",
            next_step=f"look at {who.page}/runs/{run_id}; code servers and runs write into `hybrid logs {stack}`.",
        )


def _events(client: PlusClient, run_id: str) -> Iterator[RunEvent]:
    """Events in order until the run has ended and all that it stored was read."""
    cursor: str | None = None
    while True:
        ended = client.run(run_id).is_finished  # asked before reading: what is stored by then is read below
        for event in client.run_events(run_id, cursor):
            cursor = event.cursor
            yield event
        if ended:
            return
        time.sleep(_POLL_SECONDS)


def _line(event: RunEvent) -> Any:
    from rich.text import Text

    from hybrid.redaction import redact

    style = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow", "DEBUG": "dim"}.get(event.level, "")
    moment = time.strftime("%H:%M:%S", time.localtime(event.timestamp))
    text = Text(f"{moment}  ", style="dim") + Text(f"{event.type:<28} ", style=style)
    text += Text(redact(f"{event.step + ': ' if event.step else ''}{event.message}"))
    if event.error:
        text += Text(f"\n{event.error}", style="red")
    return text


def _config(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError("--config is not JSON.", why=str(error), next_step="for example --config '{}'.") from None
    if not isinstance(value, dict):
        raise UsageError("--config is not a JSON object.", next_step="""for example --config '{"ops": {}}'.""")
    return value


def _tags(given: list[str]) -> dict[str, str]:
    tags = {}
    for item in given:
        key, separator, value = item.partition("=")
        if not separator or not key:
            raise UsageError(f"--tag {item} has no value.", next_step="write --tag KEY=VALUE.")
        tags[key] = value
    return tags
