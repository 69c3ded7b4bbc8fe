"""``hybrid adopt``: a deployment and its agent that are there already, as a stack of this checkout."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json, StackName
from hybrid.errors import SettingsError, UsageError
from hybrid.workspace import Workspace, checked_stack_name

if TYPE_CHECKING:
    from hybrid.adopt.account import Account
    from hybrid.adopt.in_aws import WhichService
    from hybrid.adopt.place import Place
    from hybrid.adopt.plan import Adoption
    from hybrid.plus import Endpoint, PlusClient


class Region(StrEnum):
    US = "us"
    EU = "eu"


def register(app: typer.Typer) -> None:
    app.command()(adopt)


def adopt(
    stack: StackName,
    organization: Annotated[str, typer.Option(help="The organization in Dagster+.")],
    deployment: Annotated[str, typer.Option(help="Its full deployment.")] = "prod",
    region: Annotated[Region, typer.Option(help="Where Dagster+ keeps the organization.")] = Region.US,
    url: Annotated[str | None, typer.Option(help="An own address of Dagster+.")] = None,
    account: Annotated[str | None, typer.Option(help="The AWS account. Default: that of the credentials.")] = None,
    aws_region: Annotated[str | None, typer.Option(help="The AWS region. Default: that of the AWS tools.")] = None,
    cloudformation: Annotated[str | None, typer.Option(help="The CloudFormation stack that has the agent.")] = None,
    cluster: Annotated[str | None, typer.Option(help="The ECS cluster that has the agent.")] = None,
    service: Annotated[str | None, typer.Option(help="The agent's service there. Default: the only one.")] = None,
    context: Annotated[str | None, typer.Option(help="The kubeconfig's context of the cluster that has it.")] = None,
    kubeconfig: Annotated[str | None, typer.Option(help="The kubeconfig. Default: that of kubectl.")] = None,
    namespace: Annotated[str | None, typer.Option(help="The agent's namespace. Default: any.")] = None,
    agent: Annotated[str | None, typer.Option(help="Its Deployment there. Default: the only one.")] = None,
    no_agent: Annotated[bool, typer.Option("--no-agent", help="Adopt the locations alone.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the files; none that is there is replaced.")] = False,
    as_json: Json = False,
) -> None:
    """Read a deployment's locations and its agent on ECS or Kubernetes, and say them as a stack: its file, overlays, an
    import list.

    Nothing is changed in Dagster+, AWS or the cluster. What a stack cannot say is listed. Step by step: docs/adopt.md.

    Examples: [bold]hybrid adopt prod --organization acme --cloudformation dagster-agent[/]  ·
    [bold]hybrid adopt prod --organization acme --cluster data --write[/]  ·
    [bold]hybrid adopt prod --organization acme --context production --namespace dagster[/]
    """
    from hybrid.adopt.in_aws import WhichService
    from hybrid.adopt.in_cluster import InCluster
    from hybrid.adopt.survey import Survey
    from hybrid.plus import Endpoint

    _refuse_two_ways(
        (cloudformation is not None, cluster is not None, context is not None, no_agent),
        alone=(service is not None and cluster is None)
        or (context is None and any(each is not None for each in (kubeconfig, namespace, agent))),
    )
    workspace = Workspace.of_this_checkout()
    checked_stack_name(stack)
    endpoint = Endpoint.of(organization, deployment, region=region.value, url=url)
    place = (
        _in_aws(account, aws_region, WhichService(cloudformation, cluster, service))
        if context is None
        else InCluster(context, kubeconfig, namespace, agent)
    )
    with _client(endpoint) as client:
        survey = Survey(workspace.root, stack, endpoint, region.value, client, place)
        adoption = survey.adoption()
    present = {path: _present(workspace.root / path, path) for path in adoption.files}
    differing = [path for path, text in adoption.files.items() if present[path] not in (None, text)]
    if write and differing:
        raise SettingsError(
            f"Nothing is written: {', '.join(differing)} {'is' if len(differing) == 1 else 'are'} there already.",
            why="\n".join(_difference(path, present[path], adoption.files[path]) for path in differing),
            next_step="take over by hand what is right, or move the file away, and run the same command again.",
        )
    written = _write(workspace.root, adoption.files) if write else ()
    wrong = _wrong(adoption)
    if as_json:
        _answer(adoption, differing, written, wrong)
    else:
        _print(adoption, present)
        _say(adoption, written, write=write)
    if wrong is not None:
        raise wrong


def _refuse_two_ways(ways: tuple[bool, ...], *, alone: bool) -> None:
    """``alone``: something narrows a way that is not given."""
    if sum(ways) != 1 or alone:
        raise UsageError(
            "Say which agent is adopted, in one way.",
            next_step="--cloudformation STACK; or --cluster CLUSTER with --service SERVICE; or --context CONTEXT with "
            "--namespace NAMESPACE and --agent DEPLOYMENT; or --no-agent.",
        )


def _in_aws(account: str | None, region: str | None, which: WhichService) -> Place:
    from hybrid.adopt.in_aws import InAws

    return InAws(_account(account, region), which)


def _client(endpoint: Endpoint) -> PlusClient:
    from hybrid.cli.console import note
    from hybrid.plus import Patience, PlusClient, api_token

    return PlusClient(
        endpoint,
        api_token(os.environ, None),
        patience=Patience(attempts=4, wait_seconds=8, connect_seconds=5),
        on_wait=lambda wait: note(f"{wait.reason.rstrip('.')}; trying again in {wait.seconds:.0f} s"),
    )


def _account(account: str | None, region: str | None) -> Account:
    from hybrid.adopt.account import Account
    from hybrid.aws.session import is_account

    if account is not None and not is_account(account):
        raise UsageError(f"'{account}' is no AWS account.", next_step="give its twelve digits to --account.")
    if region is None:
        import boto3

        region = boto3.Session().region_name
    if region is None:
        raise UsageError("No AWS region is known.", next_step="give --aws-region, or set AWS_REGION.")
    return Account(region, account)


def _present(file: Path, shown: str) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{shown} cannot be read.", next_step="move it away, and run the command again.") from None


def _write(root: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    from hybrid.delivery.written_files import write_files

    return write_files(root, files)


def _wrong(adoption: Adoption) -> SettingsError | None:
    """What the program will say against the stack file: found values may be beyond what it takes."""
    from tempfile import TemporaryDirectory

    from hybrid.engine.stack import identity

    with TemporaryDirectory() as folder:
        checked = Workspace(Path(folder))
        file = checked.stack_file(adoption.stack)
        file.parent.mkdir()
        file.write_text(adoption.files[f"stacks/{file.name}"], encoding="utf-8")
        try:
            identity(checked, adoption.stack)
        except SettingsError as error:
            return error
    return None


def _difference(path: str, present: str | None, text: str) -> str:
    lines = difflib.unified_diff(
        (present or "").splitlines(keepends=True),
        text.splitlines(keepends=True),
        path if present is not None else "/dev/null",
        path,
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _answer(adoption: Adoption, differing: list[str], written: tuple[str, ...], wrong: SettingsError | None) -> None:
    from hybrid.cli.console import answer_json

    answer_json(
        {
            "stack": adoption.stack,
            "files": adoption.files,
            "differing": differing,
            "written": written,
            "wrong": wrong.sentence() if wrong else None,
            "changes": {
                name: [{"path": each.path, "old": each.old, "new": each.new} for each in changes]
                for name, changes in adoption.changes.items()
            },
            "remarks": [vars(remark) for remark in adoption.remarks],
        }
    )


def _print(adoption: Adoption, present: Mapping[str, str | None]) -> None:
    from hybrid.adopt.remarks import HEADINGS
    from hybrid.redaction import redact

    parts = [_difference(path, present[path], text) for path, text in adoption.files.items() if present[path] != text]
    for name, changes in adoption.changes.items():
        parts.append(f"\nIn the phase `serve`, {name} is told to Dagster+ with:\n")
        parts += [f"- {each.path}: {_shown(each.old)} → {_shown(each.new)}\n" for each in changes]
    for kind, heading in HEADINGS.items():
        found = [remark for remark in adoption.remarks if remark.kind == kind]
        if found:
            parts += [f"\n{heading}:\n", *(f"- {remark.sentence()}\n" for remark in found)]
    sys.stdout.write(redact("".join(parts)))


def _shown(value: Any) -> str:
    import json

    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _say(adoption: Adoption, written: tuple[str, ...], *, write: bool) -> None:
    from hybrid.cli.console import note

    if not write:
        note("Nothing is written without --write.")
        return
    note(f"Written: {', '.join(written) or 'nothing; all is there'}.")
    note(f"Next: `hybrid preview {adoption.stack}`, then the hand-over in docs/adopt.md.")
