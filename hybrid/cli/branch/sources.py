"""What the locations of a branch deployment run from: images, built where the change needs them, or their folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from hybrid.errors import HybridError, SettingsError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.cli.locations.building import Action
    from hybrid.cli.locations.images import StackImages
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.engine.stack import Stack
    from hybrid.pipeline.branch_deployment import Origin, Wanted
    from hybrid.pipeline.sent_code import SentCode

Documents = Mapping[str, Mapping[str, Any]]

_AT_ONCE = 4


@dataclass
class Sources:
    """Finds, checks and makes what each location of the stack is to run in one branch deployment."""

    workspace: Workspace
    stack: Stack
    base: Documents
    """What the full deployment was told, by location."""
    present: Documents
    """What the branch deployment was told."""
    code: SentCode
    base_branch: str
    """What the branch would be merged into."""
    images: StackImages = field(init=False)

    def __post_init__(self) -> None:
        from hybrid.cli.locations.images import StackImages

        # a pin holds the full deployment; the change that mends what it was pinned for has to be seen here
        who = self.stack.who
        unpinned = replace(who, settings=who.settings.model_copy(update={"pins": {}}))
        self.images = StackImages(replace(self.stack, who=unpinned))

    def wanted(self) -> list[Wanted]:
        """In the stack's order. Raises ``SettingsError`` when the gate finds something to be mended, and the errors of
        builds and registries; nothing was sent then."""
        if self.stack.who.settings.agent.needs_images:
            return self._from_images()
        return self._from_folders()

    def _from_folders(self) -> list[Wanted]:
        from hybrid.delivery.document import content_hash
        from hybrid.delivery.virtualenv import VirtualEnvironmentSpec, executable_of
        from hybrid.pipeline.branch_deployment import Wanted, is_sent

        found, unsent = [], []
        for folder in self.stack.folders:
            python = executable_of(VirtualEnvironmentSpec.of_location(folder, self.workspace).path)
            document = self.stack.document(folder, executable=python)
            each = Wanted(folder.name, document, "folder", content=content_hash(folder.folder))
            found.append(each)
            if not is_sent(each, self.present.get(each.name), self.code.of(each.name)) or not python.exists():
                unsent.append(folder)
        self._check(unsent)  # which makes their environments
        return found

    def _from_images(self) -> list[Wanted]:
        from hybrid.pipeline.branch_deployment import Wanted

        images: dict[str, tuple[str, Origin]] = {}
        touched = [folder for folder in self.stack.folders if not self._is_of_base(folder, images)]
        to_build = self._without_build(touched, images)
        self._check([folder for folder in to_build if folder.kind == "folder"])
        self._publish(to_build, images)
        return [
            Wanted(folder.name, self.stack.document(folder, image=image, full=False), origin, image=image)
            for folder in self.stack.folders
            for image, origin in [images[folder.name]]
        ]

    def _is_of_base(self, folder: CodeLocationFolder, images: dict[str, tuple[str, Origin]]) -> bool:
        """Whether the change leaves the location alone and the full deployment has an image of it, by digest."""
        image = self.base.get(folder.name, {}).get("image")
        if self._touched is None or folder.name in self._touched or folder.kind != "folder":
            return False
        if not isinstance(image, str) or "@sha256:" not in image:
            return False
        images[folder.name] = (image, "base")
        return True

    def _without_build(
        self, folders: Sequence[CodeLocationFolder], images: dict[str, tuple[str, Origin]]
    ) -> list[CodeLocationFolder]:
        """Those of ``folders`` whose image nobody has yet."""
        from concurrent.futures import ThreadPoolExecutor

        told = {name: document.get("image") for name, document in self.base.items()}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            verdicts = pool.map(lambda folder: self.images.verdict(folder, told.get(folder.name)), folders)
            found = list(zip(folders, verdicts, strict=True))
        to_build = []
        for folder, verdict in found:
            if verdict.rebuild is False and "@sha256:" in verdict.would_be:
                is_base = verdict.would_be == verdict.now
                origin: Origin = "elsewhere" if folder.kind == "image" else "base" if is_base else "present"
                images[folder.name] = (verdict.would_be, origin)
            elif folder.kind == "image":
                raise SettingsError(
                    f"The image of '{folder.name}' is built elsewhere and cannot be had.",
                    why=verdict.why,
                    next_step="correct its name, or look at its registry.",
                )
            else:
                to_build.append(folder)
        return to_build

    @cached_property
    def _touched(self) -> frozenset[str] | None:
        """The locations with a changed file; None when that cannot be told, or the change is of the stack's own file,
        which says how all are built: then the content of each decides."""
        from hybrid.cli.console import note
        from hybrid.cli.locations.selection import folders_of
        from hybrid.delivery.selection import changes_since, concerned

        try:
            changes = changes_since(self.workspace.root, f"origin/{self.base_branch}")
        except UsageError as error:
            note(f"What the branch changes is not known, so each location's content is looked at: {error.what}")
            return None
        file = self.workspace.stack_file(self.stack.who.stack).resolve()
        if any(changes.repository / path == file for path in changes.paths):
            return None
        places = [(folder, folders_of(folder)) for folder in self.stack.folders]
        return frozenset(concerned(changes, places).names)

    def _check(self, folders: Sequence[CodeLocationFolder]) -> None:
        """The gate, as `hybrid locations check`."""
        from hybrid.cli.locations.check import Checks

        if not folders:
            return
        checked = Checks(self.workspace, self.stack, tests=False).run(folders)
        failed = [each for each in checked if not each.passed]
        if failed:
            names = ", ".join(each.name for each in failed)
            sentences = [
                f"{each.name}: {finding.sentence()}"
                for each in failed
                for finding in each.findings
                if finding.severity == "error"
            ]
            raise SettingsError(
                f"Nothing was built or sent: {names} would not load.",
                why="\n".join(sentences),
                next_step=f"mend that; `hybrid locations check {self.stack.who.stack} {failed[0].name}` checks it.",
            )

    def _publish(self, folders: Sequence[CodeLocationFolder], images: dict[str, tuple[str, Origin]]) -> None:
        from hybrid.cli.console import note, show_error
        from hybrid.cli.locations.building import in_parallel

        def one(folder: CodeLocationFolder, say: Callable[[str], None]) -> tuple[Action, str]:
            published = self.images.publish(folder, say)
            return "pushed" if published.built else "unchanged", published.reference

        failed: dict[str, HybridError] = {}
        for made in in_parallel(folders, one, self.images.stop):
            if made.error is not None:
                failed[made.name] = made.error
            elif made.reference is not None:
                images[made.name] = (made.reference, "built" if made.action == "pushed" else "present")
        for name, error in failed.items():
            note(f"{name}:")
            show_error(error)
        if failed:
            note("Nothing was sent to the branch deployment.")
            raise typer.Exit(max(error.exit_code for error in failed.values()))
