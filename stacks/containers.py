"""Code locations of agents that run containers: each is checked, built into an image, pushed, and said by digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import pulumi

from hybrid.delivery.build_files import context_files
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import content_hash, location_document
from hybrid.delivery.registry_overlay import registry_overlay
from hybrid.delivery.repository import repository_of
from hybrid.provider.check_resources import LocationCheck, LocationCheckArgs
from hybrid.provider.image_resources import LocationImage, LocationImageArgs, PublishedImage, PublishedImageArgs
from hybrid.provider.resources import BuildFile, BuildFileArgs
from hybrid.workspace import Workspace
from stacks.documents import document_of_image
from stacks.environments import virtual_environment
from stacks.given import given_by
from stacks.identity import StackIdentity
from stacks.images import image_spec, registry_address
from stacks.platform import LocationSource
from stacks.stored_values import own_names
from stacks.variable_settings import VariableSettings


@dataclass(frozen=True)
class ContainerLocations:
    """What a stack's locations run from when its agent runs containers, on whatever platform."""

    who: StackIdentity
    workspace: Workspace
    repositories: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    """By location, what has to stand before its image can be pushed; none where registries make repositories
    themselves."""

    def source(self, folder: CodeLocationFolder) -> LocationSource:
        """A pinned image, one built elsewhere, or the location's own. The document has it by digest."""
        reference = self._reference(folder)
        if own := own_names(self.who, location_document(folder, platform=self.who.settings.agent.kind)):
            pulumi.log.warn(
                f"{folder.name}: {', '.join(own)} of its own, or of `hybrid:agent`, stay as they are there; "
                "`hybrid:assetValues.ioManager` sets the others."
            )
        document = reference.apply(lambda image: document_of_image(self.who, folder, image))
        return LocationSource(document=document, image=reference)

    def _reference(self, folder: CodeLocationFolder) -> pulumi.Output[str]:
        self._build_file(folder)
        chosen = self.who.settings.pins.get(folder.name) or folder.image
        if chosen is not None:
            return PublishedImage(f"{folder.name}-published", PublishedImageArgs(image=chosen)).reference
        image = LocationImage(
            f"{folder.name}-image",
            LocationImageArgs.of(image_spec(self.who, folder)),
            pulumi.ResourceOptions(depends_on=[self._check(folder), *self._repository(folder)]),
        )
        return image.reference

    def _check(self, folder: CodeLocationFolder) -> LocationCheck:
        """The gate: what can be known in seconds is known before minutes are spent on a build."""
        environment = virtual_environment(self.workspace, folder)
        seen = [each for each in self.who.settings.environment_variables if _sees(folder, each)]
        return LocationCheck(
            f"{folder.name}-check",
            LocationCheckArgs(
                name=folder.name,
                folder=str(folder.folder),
                executable=environment.executable,
                working_directory=str(folder.working_directory),
                code_source=folder.code_source.document(),
                attribute=folder.attribute,
                document=location_document(folder, image=f"{folder.name.lower()}:checked"),
                platform=self.who.settings.agent.kind,
                networks=self.who.settings.agent.networks(self.who.stack),
                given=given_by(self.who).document(),
                files=[str(file) for file in context_files(folder.folder, self.who.settings.environment)],
                content_hash=content_hash(folder.folder),
                agent_version=version("dagster-cloud"),
                python_image=self.who.settings.images.python_image,
                environment={each.name: each.value for each in seen if each.value is not None},
                withheld=[each.name for each in seen if each.value is None],
            ),
        )

    def _repository(self, folder: CodeLocationFolder) -> list[pulumi.Resource]:
        standing = self.repositories.get(folder.name)
        return [] if standing is None else [standing]

    def _build_file(self, folder: CodeLocationFolder) -> None:
        """`registry` in the location's build.<environment>.yaml, also while it is pinned: the file is committed."""
        path = registry_overlay(folder, self.workspace.root, self.who.settings.environment)
        if path is not None:
            BuildFile(
                f"{folder.name}-build-file",
                BuildFileArgs(
                    checkout=str(self.workspace.root),
                    path=path,
                    values={"registry": repository_of(registry_address(self.who), folder.name)},
                ),
            )


def _sees(folder: CodeLocationFolder, variable: VariableSettings) -> bool:
    return variable.scopes.full_deployment and (not variable.locations or folder.name in variable.locations)
