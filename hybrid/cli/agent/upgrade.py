"""``hybrid agent upgrade``: another version of the agent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli import stack as stacks
from hybrid.cli.agent.changes import REDEPLOYED, AgentSetting, Named, stack_named
from hybrid.cli.stack import Json, Yes
from hybrid.errors import HybridError, NotReadyError, SettingsError, UsageError

if TYPE_CHECKING:
    from hybrid.platforms.commands import PlatformCommands

_VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+|\.post\d+)?")
_YAML_VARIABLE = "HYBRID_DAGSTER_YAML"  # in the agent's container (agent/ecs_task.py)


def register(app: typer.Typer) -> None:
    app.command()(upgrade)


def upgrade(
    stack: Named,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="Default: the dagster-cloud of this checkout.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Show what runs and what would; change nothing.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Give the agent another version of dagster-cloud: writes the tag of `hybrid:agent.image` in the stack's file and
    runs `up`. Its agent starts anew, and every code location with it; with `zeroDowntime` there is a second set of code
    servers meanwhile.

    Examples: [bold]hybrid agent upgrade prod --check[/]  ·  [bold]hybrid agent upgrade prod --to 1.13.28[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.cli.platform import platform_of
    from hybrid.cli.status import print_standing

    platform = platform_of(stack_named(stack))
    plan = _plan(platform, _image(platform), to)
    if as_json:
        answer_json(plan.document())
    else:
        _print(plan)
    if check:
        return
    if plan.problems:
        raise SettingsError(
            f"dagster-cloud {plan.wanted} would refuse the agent's settings.",
            why="\n".join(plan.problems),
            next_step=f"mend hybrid:agent in stacks/Pulumi.{stack}.yaml, or stay with {plan.declared}.",
        )
    if not plan.changes_anything:
        note("Nothing to do.")
        return
    _require_image(plan.image)
    note(f"{stack}: {REDEPLOYED}")
    stacks.require_agreement(stack, yes, "agent upgrade")
    stacks.check_beforehand(stack)
    setting = AgentSetting(stack, "image")
    if plan.image != plan.declared_image:
        setting.set(plan.image)
        note(f"{setting.shown} is {plan.image}.")
    setting.bring_up(stack)
    if not print_standing(stack, as_json=False):
        raise typer.Exit(NotReadyError.exit_code)


@dataclass(frozen=True)
class Plan:
    """What runs, what the stack's file says, and what is wanted. ``running`` are the versions that agents report."""

    stack: str
    running: list[str]
    running_image: str | None
    declared: str
    """The version in the stack's file, or its default; "?" when the image does not say one."""
    declared_image: str
    wanted: str
    image: str
    checkout: str
    """The dagster-cloud of this checkout: the newest that its settings are held against."""
    checked: bool
    """Whether the agent's settings were judged by the schemas of the wanted version, which has to be installed here."""
    problems: list[str]
    unknown: str | None = None
    """Why the platform did not tell what runs."""

    @property
    def changes_anything(self) -> bool:
        if self.image != self.declared_image:
            return True
        return self.running_image is not None and self.running_image != self.image

    def document(self) -> dict[str, Any]:
        return {
            "stack": self.stack,
            "running": {"versions": self.running, "image": self.running_image},
            "declared": {"version": self.declared, "image": self.declared_image},
            "wanted": {"version": self.wanted, "image": self.image},
            "checkout": self.checkout,
            "changes": self.changes_anything,
            "settings": {"checked": self.checked, "problems": self.problems},
            "unknown": self.unknown,
        }


def _plan(platform: PlatformCommands, declared: str, to: str | None) -> Plan:
    from hybrid.engine.agent_yaml import installed_version, problems

    checkout = installed_version()
    wanted = to or checkout
    if not _VERSION.fullmatch(wanted):
        raise UsageError(f"'{wanted}' is no version.", next_step="give one such as --to 1.13.27.")
    image = retagged(declared, wanted)
    told = platform.agent_running()
    found: list[str] = []
    checked = wanted == checkout and told.settings is not None
    if checked and told.settings is not None:
        found = problems(told.settings)
    return Plan(
        stack=platform.stack.who.stack,
        running=_reported(platform),
        running_image=told.image,
        declared=version_in(declared) or "?",
        declared_image=declared,
        wanted=wanted,
        image=image,
        checkout=checkout,
        checked=checked,
        problems=found,
        unknown=told.unknown,
    )


def version_in(image: str) -> str | None:
    """The version that an image's tag says, if it says one."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return tag if _VERSION.fullmatch(tag) else None


def retagged(image: str, version: str) -> str:
    """The same image of another version. Raises ``UsageError`` for one whose tag says none."""
    known = version_in(image)
    if known is None:
        raise UsageError(
            f"The agent's image is {image}, whose tag is no version.",
            why="It is an image of your own, or one by digest; which version it holds cannot be told.",
            next_step="build or find the wanted one and set hybrid:agent.image in the stack's file, then `hybrid up`.",
        )
    if known == version:
        return image
    # a digest behind the tag would name the former version's content
    return f"{image.partition('@')[0].removesuffix(f':{known}')}:{version}"


def _reported(platform: PlatformCommands) -> list[str]:
    """Versions of the stack's agents that are RUNNING, as they report them."""
    from hybrid.cli.console import note

    label = platform.stack.who.agent_label
    try:
        with platform.plus() as client:
            mine = [agent for agent in client.agents() if agent.label == label and agent.is_running]
    except HybridError as error:
        note(f"What the agents report is not known: {error.what}")
        return []
    return sorted({agent.metadata.get("version") or "?" for agent in mine})


def _image(platform: PlatformCommands) -> str:
    """The image that the stack's file or its default names. Raises ``UsageError`` where the agent has none."""
    from hybrid.engine.agent_yaml import installed_version

    image, who = platform.agent_image, platform.stack.who
    if image is None:
        raise UsageError(
            f"The agent of the stack '{who.stack}' is of kind {who.settings.agent.kind} and runs what this checkout "
            f"has: dagster-cloud {installed_version()}.",
            why="Its version is pinned in pyproject.toml and requirements.lock, beside that of dagster.",
            next_step=f"change them there, `make setup`, then `hybrid up {who.stack}`: it starts the agent anew.",
        )
    return image


def _require_image(image: str) -> None:
    """Raises ``UsageError`` when the registry says that there is no such image: an update would only find out late."""
    import os

    from hybrid.cli.console import note
    from hybrid.delivery.images.errors import RegistryError
    from hybrid.delivery.images.registry import Registry

    try:
        digest = Registry(os.environ).digest(image)
    except RegistryError as error:
        note(f"The registry was not asked whether it has {image}: {error.what}")
        return
    if digest is None:
        raise UsageError(
            f"There is no image {image}.",
            next_step="look at the versions of dagster-cloud-agent that its registry has, or mirror that one there.",
        )


def _print(plan: Plan) -> None:
    from rich.table import Table
    from rich.text import Text

    from hybrid.cli.console import note, out

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("runs", Text(", ".join(plan.running) or "-"), Text(plan.running_image or "-"))
    table.add_row("stack file", Text(plan.declared), Text(plan.declared_image))
    table.add_row("wanted", Text(plan.wanted, style="bold"), Text(plan.image))
    out.print(table)
    if plan.unknown:
        note(f"What runs is not known: {plan.unknown}")
    if plan.problems:
        note("Its settings would be refused:\n" + "\n".join(plan.problems))
    elif plan.checked:
        note(f"The agent's settings pass the schemas of dagster-cloud {plan.wanted}.")
    else:
        note(
            f"The agent's settings were not judged by dagster-cloud {plan.wanted}: this checkout has {plan.checkout}."
            if plan.wanted != plan.checkout
            else "The agent's settings were not judged: none could be read from the platform."
        )
