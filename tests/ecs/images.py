"""Images for labs: the real agent from the package index, on the tests' own base image.

An agent's image stands for the one that Dagster publishes: ``dagster-cloud`` on PATH, ``DAGSTER_HOME`` at the same
place, a shell. Layers stay in the engine's cache, so that a second session builds nothing.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.containers.stand import Containers

ROOT: Final = Path(__file__).resolve().parents[2]
_VERSION: Final = "1.13.27"
_REPOSITORY: Final = "ecs-lab"

_AGENT: Final = f"""\
ARG PYTHON_IMAGE
FROM ${{PYTHON_IMAGE}} AS packages
ARG EXTRA
RUN --mount=type=secret,id=certificates,required=false --mount=type=cache,target=/root/.cache \\
    if [ -f /run/secrets/certificates ]; then \\
        export PIP_CERT=/run/secrets/certificates SSL_CERT_FILE=/run/secrets/certificates; fi; \\
    python3 -m venv /opt/tools && /opt/tools/bin/python -m pip install --quiet uv
COPY requirements.lock /opt/requirements.lock
RUN --mount=type=secret,id=certificates,required=false --mount=type=cache,target=/root/.cache \\
    if [ -f /run/secrets/certificates ]; then export SSL_CERT_FILE=/run/secrets/certificates; fi; \\
    python3 -m venv --without-pip /opt/dagster/agent && \\
    UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy /opt/tools/bin/uv pip install --quiet \\
        --python /opt/dagster/agent/bin/python --constraint /opt/requirements.lock dagster-cloud[$EXTRA]=={_VERSION}

FROM ${{PYTHON_IMAGE}}
COPY --from=packages /opt/dagster/agent /opt/dagster/agent
RUN mkdir -p /opt/dagster/dagster_home
ENV PATH=/opt/dagster/agent/bin:$PATH PYTHONUNBUFFERED=1 DAGSTER_HOME=/opt/dagster/dagster_home
WORKDIR /opt/dagster/dagster_home
"""

# dagster-azure asks for azure-ai-ml, which holds opentelemetry back; only its Pipes use it (docs/adr/0025)
_OVERRIDES: Final = "azure-ai-ml ; python_version < '3'\n"

_LOCATION: Final = """\
ARG AGENT
FROM ${AGENT}
COPY shop.py /opt/shop/shop.py
WORKDIR /opt/shop
"""

CODE: Final = """
import os, time
import boto3
import dagster as dg

@dg.op
def speak(context):
    role = boto3.client("sts").get_caller_identity()["Arn"]
    context.log.info("greeting %s as %s" % (os.environ.get("GREETING"), role))

@dg.op
def sleep():
    time.sleep(600)

@dg.op
def fail():
    raise ValueError("this op fails by design")

@dg.job
def greet():
    speak()

@dg.job
def nap():
    sleep()

@dg.job
def fall():
    fail()

defs = dg.Definitions(jobs=[greet, nap, fall])
"""


def agent_image(containers: Containers, folder: Path, extra: str = "ecs") -> str:
    """The agent's image by digest, built and pushed where it is not yet; ``extra`` is the one of dagster-cloud."""
    context = folder / "agent"
    context.mkdir(parents=True, exist_ok=True)
    text = _AGENT
    if extra == "aca":
        (context / "overrides").write_text(_OVERRIDES)
        text = text.replace("COPY requirements.lock", "COPY overrides /opt/overrides\nCOPY requirements.lock")
        text = text.replace("--constraint", "--override /opt/overrides --constraint")
    (context / "Dockerfile").write_text(text)
    (context / "requirements.lock").write_bytes((ROOT / "requirements.lock").read_bytes())
    secret = ["--secret", f"id=certificates,src={containers.certificates}"] if containers.certificates else []
    name = f"{_REPOSITORY}/agent" if extra == "ecs" else f"{extra}-lab/agent"
    more = ["--build-arg", f"EXTRA={extra}", *secret]
    return _built(containers, name, context, f"PYTHON_IMAGE={containers.python_image}", *more)


def location_image(containers: Containers, folder: Path, agent: str, code: str = CODE, *, name: str = "shop") -> str:
    """An image with ``code`` as /opt/shop/shop.py, by digest."""
    context = folder / name
    context.mkdir(parents=True, exist_ok=True)
    (context / "Dockerfile").write_text(_LOCATION)
    (context / "shop.py").write_text(code)
    return _built(containers, f"{_REPOSITORY}/{name}", context, f"AGENT={agent}")


def _built(containers: Containers, name: str, context: Path, argument: str, *more: str) -> str:
    reference = f"{containers.registry}/{name}:1"
    words = ["build", "--quiet", "--tag", reference, "--build-arg", argument, *more, str(context)]
    done = subprocess.run(
        [str(containers.docker), *words],
        env={**containers.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(words)}: {(done.stdout + done.stderr)[-3000:]}"
    containers.run("push", "--quiet", reference, seconds=300)
    return containers.run("inspect", "--format", "{{index .RepoDigests 0}}", reference)
