"""Why a container waits, in the kubelet's words (pkg/kubelet/images/types.go, pkg/kubelet/kuberuntime)."""

from __future__ import annotations


class WaitingError(Exception):
    """A container cannot start now; it is tried again after a while."""

    def __init__(self, reason: str, message: str, *, later: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.later = later or reason
        """What the reason is called while it waits for the next try."""


def pull(image: str, said: str) -> WaitingError:
    return WaitingError("ErrImagePull", f'failed to pull image "{image}": {said}', later="ImagePullBackOff")


def never_pull(image: str) -> WaitingError:
    return WaitingError("ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never')


def config(message: str) -> WaitingError:
    return WaitingError("CreateContainerConfigError", message)


def start(message: str) -> WaitingError:
    return WaitingError("RunContainerError", f"failed to start container: {message}", later="CrashLoopBackOff")


class VolumeError(Exception):
    """A volume of the Pod cannot be set up yet; the message is the event's."""
