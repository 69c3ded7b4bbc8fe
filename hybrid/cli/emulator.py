"""``hybrid emulator``: Dagster+ embedded, by hand."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Dagster+ embedded on this machine, for work without an account.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


class AgentTypeOption(StrEnum):
    HYBRID = "hybrid"
    SERVERLESS = "serverless"


class HybridAgentsOption(StrEnum):
    RUNNING = "running"
    NOT_RUNNING = "not-running"
    HIDDEN = "hidden"


class YesNo(StrEnum):
    YES = "yes"
    NO = "no"


@app.callback()
def root() -> None:
    """Dagster+ embedded on this machine, for work without an account."""


@app.command()
def serve(
    data: Annotated[Path, typer.Option(help="Folder for all that it keeps; made when missing.")],
    port: Annotated[int, typer.Option(help="TCP port of the UI and the API.", min=1, max=65535)] = 3939,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    also_listen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Another address of this machine to listen on, on the same port, such as the gateway of the "
            "containers' network; may be repeated. Browsers that come by it sign in.",
        ),
    ] = None,
    organization: Annotated[str, typer.Option(help="The organization's name.")] = "local",
    deployment: Annotated[str, typer.Option(help="The full deployment's name.")] = "prod",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Allow another address than loopback; the UI then asks for a token.")
    ] = False,
    agent_type: Annotated[
        AgentTypeOption,
        typer.Option(help="The deployment's agent type when it is founded; later it is switched as on Dagster+."),
    ] = AgentTypeOption.HYBRID,
    serverless_departure: Annotated[
        int,
        typer.Option(help="Seconds that the Serverless agent goes on after the switch, as 0, 60, 300.", min=0),
    ] = 60,
    hybrid_on_serverless: Annotated[
        HybridAgentsOption, typer.Option(help="How a Hybrid agent shows while the deployment is SERVERLESS.")
    ] = HybridAgentsOption.RUNNING,
    serverless_values_after_switch: Annotated[
        YesNo, typer.Option(help="Whether values stored on Serverless can still be read after the switch.")
    ] = YesNo.NO,
) -> None:
    """Serve until Ctrl-C. The stack `local` runs it by itself; this is for trying clients against it.

    Example: [bold]hybrid emulator serve --data /tmp/plus --port 4000[/]

    A Serverless deployment with its agent: [bold]hybrid emulator serve --data /tmp/plus --agent-type serverless[/]

    For agents in containers: [bold]hybrid emulator serve --data /tmp/plus --also-listen 172.17.0.1[/]

    The switch at its hardest:
    [bold]hybrid emulator serve --data /tmp/plus --agent-type serverless --serverless-departure 0
    --hybrid-on-serverless hidden[/]
    """
    from hybrid.emulator.server import ServeOptions
    from hybrid.emulator.server import serve as serve_emulator
    from hybrid.emulator.serverless.options import ServerlessOptions

    serve_emulator(
        ServeOptions(
            data=data,
            port=port,
            host=host,
            organization=organization,
            deployment=deployment,
            agent_type="SERVERLESS" if agent_type is AgentTypeOption.SERVERLESS else "HYBRID",
            allow_remote=allow_remote,
            also_listen=also_listen or (),
            serverless=ServerlessOptions(
                departure_seconds=serverless_departure,
                hybrid_agents=hybrid_on_serverless.value,
                values_after_switch=serverless_values_after_switch is YesNo.YES,
            ),
        )
    )
