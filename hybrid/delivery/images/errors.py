"""What can go wrong with an image."""

from __future__ import annotations

from hybrid.errors import HybridError, SettingsError


class ContextError(SettingsError):
    """A build context holds what cannot be sent, or more than is sensible."""


class DockerfileError(SettingsError):
    """A Dockerfile says something that cannot be read or built as it stands."""


class SecretInArgument(SettingsError):
    """A build argument holds a secret: it would stay in the image's history."""


class BuildFailed(HybridError):
    """A step of the Dockerfile ended with an error."""


class PushFailed(HybridError):
    """The image was built, and the registry did not take it."""


class TagTaken(HybridError):
    """The registry has the tag already, with other content."""


class RegistryError(HybridError):
    """The registry answered with an error."""


class RegistryUnreachable(RegistryError):
    """The registry does not answer."""


class LoginRefused(RegistryError):
    """The registry wants a login, or another one."""
