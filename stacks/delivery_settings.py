"""What the stack file says of code locations and their images: which are served, where images go, what is pinned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from agent.spec import LocationName, QueueName, Spec, VariableName

RegistryAddress = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)*$", max_length=200)
]
ImageReference = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][^\s]{0,511}$")]
PinnedImage = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][^\s@]{0,400}@sha256:[0-9a-f]{64}$")]
Platform = Annotated[str, StringConstraints(pattern=r"^linux/(amd64|arm64)$")]
SecretSource = Annotated[str, StringConstraints(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$")]
ModuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]


class RegistrySettings(Spec):
    """Where images are pushed to and pulled from."""

    address: RegistryAddress
    """Host, port and path in front of each repository, such as `registry.acme.example/data`. A location's repository
    is this, a slash and its name in lower case. Logins come from Docker's own settings (`docker login`, credential
    helpers), never from here."""


class ImageSettings(Spec):
    """How images of code locations are built. A location's own Dockerfile wins over what is made for it."""

    python_image: ImageReference = "python:3.12-slim"
    """The base image, handed to every build as the argument `PYTHON_IMAGE`. Default: the official one; name a mirror
    where the official registry is out of reach."""

    platforms: tuple[Platform, ...] = ()
    """Platforms to build for, of `linux/amd64` and `linux/arm64`. Default: that of the engine which builds."""

    certificates: Path | None = None
    """An absolute path to a bundle of certificate authorities for the package index, for networks that intercept TLS.
    It is mounted while packages are installed (BuildKit secret `certificates`) and is in no image."""

    secrets: dict[str, SecretSource] = Field(default_factory=dict)
    """BuildKit secrets by id: `env:NAME` or `file:/absolute/path`. Values are in no image, state or command line."""

    arguments: dict[VariableName, str] = Field(default_factory=dict)
    """Further build arguments. They can be read in the image's history, so anything like a secret is refused."""

    @field_validator("certificates")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("give an absolute path")
        return path


class LocationAtPath(Spec):
    """A code location whose folder lies elsewhere than under `locations/`."""

    path: str = Field(min_length=1)
    """The folder, absolute or relative to the checkout."""


class LocationOfImage(Spec):
    """A code location whose image is built elsewhere."""

    image: ImageReference
    """The image; a tag is resolved to its digest at each `up`."""

    name: LocationName
    """The code location's name in Dagster+."""

    module_name: ModuleName | None = None
    """The module that Dagster loads. Exactly one of the three is given."""

    package_name: ModuleName | None = None
    """The package that Dagster loads."""

    python_file: str | None = None
    """The file that Dagster loads, as its path in the image."""

    working_directory: str | None = None
    """Where Python imports from, as a path in the image. Default: the image's own."""

    executable_path: str | None = None
    """The Python in the image. Default: the first on its PATH."""

    attribute: str | None = None
    """What of the module is loaded. Default: all that Dagster finds."""

    agent_queue: QueueName | None = None
    """The queue whose agents serve it. Default: the default queue."""

    container_context: dict[Literal["aca", "docker", "ecs", "k8s"], dict[str, Any]] = Field(default_factory=dict)
    """What its containers get, by platform, as in a container_context.yaml. Default: nothing."""

    @model_validator(mode="after")
    def _one_source(self) -> LocationOfImage:
        given = [name for name in (self.module_name, self.package_name, self.python_file) if name]
        if len(given) != 1:
            raise ValueError("give exactly one of `moduleName`, `packageName` and `pythonFile`")
        return self


def _shape(value: Any) -> str | None:
    if isinstance(value, str):
        return "name"
    given = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return "image" if "image" in given else "path" if "path" in given else None


ServedLocation = Annotated[
    Annotated[LocationName, Tag("name")]
    | Annotated[LocationAtPath, Tag("path")]
    | Annotated[LocationOfImage, Tag("image")],
    Discriminator(
        _shape,
        custom_error_type="location",
        custom_error_message="give a location's name, `{path: …}` or `{image: …, name: …}`",
    ),
]
"""A location by the name of its folder, by its path, or by its image."""
