"""What a stack on ECS needs of this machine: Pulumi's aws plugin, credentials of the stack's account, its region within
reach, and for ECS Exec the AWS CLI with its plugin. Nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from hybrid.errors import HybridError
from hybrid.toolchain.containers_doctor import plugin_finding
from hybrid.toolchain.doctor import Finding
from hybrid.toolchain.pulumi import Pulumi

PLUGIN: Final = "aws plugin"
CREDENTIALS: Final = "aws credentials"
REGION: Final = "aws region"
EXEC: Final = "aws exec"
SECONDS: Final = 15.0
"""How long an answer may take: enough for a login that has to be renewed first."""


@dataclass(frozen=True)
class AwsNeeds:
    """What a stack wants of AWS. The two questions raise ``HybridError`` when the answer is no."""

    region: str
    account: str
    exec: bool
    """Whether ECS Exec is open."""
    ask_caller: Callable[[], str]
    """Whose the credentials are; refuses those of another account."""
    ask_region: Callable[[], object]
    """Something that only the region itself can answer."""


def check_aws(
    needs: AwsNeeds, environ: Mapping[str, str], pulumi: Pulumi | None, seconds: float = SECONDS
) -> list[Finding]:
    """All findings, asked at the same time. What does not answer within ``seconds`` is missing."""
    pool = ThreadPoolExecutor(2, thread_name_prefix="aws-doctor")
    try:
        asked = [pool.submit(_credentials, needs), pool.submit(_region, needs)]
        found = [plugin_finding("aws", PLUGIN, version("pulumi-aws"), environ, pulumi)]
        credentials, region = (
            _answer(name, answer, seconds) for name, answer in zip((CREDENTIALS, REGION), asked, strict=True)
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # what does not answer is not waited for
    found.append(credentials)
    if region.detail != credentials.detail:  # without credentials nothing is asked of the region
        found.append(region)
    return [*found, *(_exec(environ) if needs.exec else ())]


def _credentials(needs: AwsNeeds) -> Finding:
    return Finding(CREDENTIALS, "ok", needs.ask_caller())


def _region(needs: AwsNeeds) -> Finding:
    needs.ask_region()
    return Finding(REGION, "ok", f"{needs.region} answers")


def _answer(name: str, asked: Future[Finding], seconds: float) -> Finding:
    try:
        return asked.result(seconds)
    except Late:
        step = "look at the network, the proxy and AWS_ENDPOINT_URL; `aws sts get-caller-identity` asks the same."
        return Finding(name, "missing", f"no answer of AWS within {seconds:.0f} s", step)
    except HybridError as error:
        return Finding(name, "missing", " ".join(filter(None, (error.what, error.why))), error.next_step)


def _exec(environ: Mapping[str, str]) -> list[Finding]:
    """`hybrid:agent.exec` is about tasks; only who enters one needs these."""
    wanted = ("aws", "session-manager-plugin")
    lacking = [name for name in wanted if shutil.which(name, path=environ.get("PATH")) is None]
    if not lacking:
        return [Finding(EXEC, "ok", "the AWS CLI and its Session Manager plugin are here")]
    step = "install it where `hybrid agent exec` is to be used; all else does without."
    return [Finding(EXEC, "warning", f"not on PATH: {', '.join(lacking)}", step)]
