"""``hybrid branch status``: the branch deployments of this repository, as Dagster+ has them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import typer

from hybrid.cli.branch.options import BranchName, Repository, StackOrDefault, Surroundings
from hybrid.cli.stack import Json
from hybrid.errors import NotReadyError

if TYPE_CHECKING:
    from hybrid.plus import BranchDeployment, CodeLocationStatus

_AT_ONCE = 6


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(
    stack: StackOrDefault = None, branch: BranchName = None, repository: Repository = None, as_json: Json = False
) -> None:
    """Show the branch deployments of this repository that are based on the stack's deployment, and whether their code
    locations are loaded. With --branch that one alone: ends with 7 when it is not there, or not all of it is loaded.

    Examples: [bold]hybrid branch status[/]  ·  [bold]hybrid branch status --branch feature/x --json[/]
    """
    from hybrid.cli.console import answer_json
    from hybrid.pipeline.change import Given, repository_of
    from hybrid.pipeline.closing import of_repository

    around = Surroundings.of(stack, Given(branch=branch, repository=repository))
    name = repository_of(around.run, around.given, around.checkout)
    with around.full() as plus:
        listed = of_repository(plus, name)
    found = [each for each in listed if branch is None or each.branch == branch]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        standing = list(zip(found, pool.map(lambda each: _locations(around, each), found), strict=True))
    if as_json:
        rows = [_row(around, each, locations) for each, locations in standing]
        answer_json({"stack": around.stack.who.stack, "repository": name, "branch_deployments": rows})
    else:
        _print(around, name, standing)
    if branch is not None and not (standing and all(each.is_loaded for each in standing[0][1])):
        raise typer.Exit(NotReadyError.exit_code)


def _locations(around: Surroundings, found: BranchDeployment) -> list[CodeLocationStatus]:
    with around.of_branch(found.deployment.name) as client:
        return client.code_locations()


def _row(around: Surroundings, found: BranchDeployment, locations: list[CodeLocationStatus]) -> dict[str, Any]:
    commit = found.latest_commit
    return {
        "deployment": found.deployment.name,
        "url": around.page(found.deployment.name),
        "branch": found.branch,
        "pull_request": found.pull_request_number,
        "pull_request_url": found.pull_request_url,
        "pull_request_status": found.pull_request_status,
        "commit": commit.hash if commit else None,
        "locations": [
            {
                "name": each.name,
                "load_status": each.load_status,
                "is_loaded": each.is_loaded,
                "image": each.image,
                "error": each.error.message if each.error else None,
            }
            for each in locations
        ],
    }


def _print(
    around: Surroundings, repository: str, standing: list[tuple[BranchDeployment, list[CodeLocationStatus]]]
) -> None:
    from rich.text import Text

    from hybrid.cli.console import note, out
    from hybrid.redaction import redact

    if not standing:
        note(f"There is no branch deployment of {repository} based on {around.stack.who.endpoint.deployment}.")
    for found, locations in standing:
        number = f"  pull request {found.pull_request_number}, {found.pull_request_status}"
        commit = found.latest_commit
        out.print(
            Text(found.branch or "", style="bold")
            + Text(number if found.pull_request_number else "")
            + Text(f"  {commit.hash[:12]}" if commit else "", style="dim")
        )
        for each in locations:
            word = "ERROR" if each.error else "LOADED" if each.is_loaded else "LOADING"
            style = {"ERROR": "red", "LOADED": "green", "LOADING": "yellow"}[word]
            said = redact(each.error.message.strip().splitlines()[0]) if each.error else ""
            out.print(Text(f"  {each.name}  ") + Text(word, style=style) + Text(f"  {said}" if said else ""))
        out.print(f"  UI: {around.page(found.deployment.name)}", markup=False)
