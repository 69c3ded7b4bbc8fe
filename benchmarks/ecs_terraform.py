"""The same AWS resources as a configuration of Terraform's, made from the state of a stack that stands, and the
commands that plan it: the peer.

Values that a resource takes from others become references again, and what it waits for becomes ``depends_on``, so that
Terraform has the same graph and knows as little before the first apply. The provider's executable is the stand-in's.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hybrid.provider.properties import UNKNOWN
from tests.standins.aws import book, catalog, configuration, convert, terraform
from tests.standins.aws.book import Book
from tests.standins.aws.shapes import Shape

_PROVIDER: Final = "pulumi:providers:aws"
_SECRET: Final = "4dabf18193072939515e22adb298388d"  # noqa: S105 - by which Pulumi's state marks a secret
_SHORTEST: Final = 6
"""Characters of a value that is taken for another resource's: shorter ones are alike by chance."""

_ZONES: Final = {"state": "available", "filter": {"name": "opt-in-status", "values": ["opt-in-not-required"]}}
"""The program's one question to a data source (infra/network.py)."""

Resource = Mapping[str, Any]


def terraform_configuration(resources: Sequence[Resource], environ: Mapping[str, str]) -> dict[str, Any]:
    """The AWS resources of a Pulumi state, in Terraform's JSON syntax. Components and the resources of other providers
    have no counterpart there."""
    binary = terraform.find(environ)
    if binary is None:
        raise RuntimeError(f"there is no AWS provider of HashiCorp's here: set {terraform.VARIABLE} to its path")
    running = terraform.Terraform(binary, environ)
    try:
        pages = book.load(binary, running, environ)
    finally:
        running.end()
    (provider,) = (each for each in resources if each["type"] == _PROVIDER)
    known = {each["urn"]: each for each in resources if each["type"] in catalog.RESOURCES}
    made: dict[str, dict[str, Any]] = {}
    for urn, each in known.items():
        listed = catalog.RESOURCES[each["type"]]
        made.setdefault(listed.terraform, {})[_label(urn)] = _body(each, known, pages)
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        "provider": {"aws": _provider(provider, pages)},
        "data": {"aws_availability_zones": {"zones": _ZONES}},
        "resource": made,
    }


def _provider(given: Resource, pages: Book) -> dict[str, Any]:
    shape = pages[book.PROVIDER].shape
    settings = configuration.read(shape, given["inputs"])
    elsewhere = {
        "skipCredentialsValidation": True,
        "skipMetadataApiCheck": "true",
        "s3UsePathStyle": True,
        "maxRetries": 2,
    }
    return _given(shape, convert.to_terraform(shape, {**elsewhere, **settings}, given=True))


def _body(resource: Resource, known: Mapping[str, Resource], pages: Book) -> dict[str, Any]:
    listed, shape = catalog.RESOURCES[resource["type"]], pages[resource["type"]].shape
    inputs = {name: _plain(value) for name, value in resource["inputs"].items() if name not in ("__defaults", "region")}
    told = resource.get("propertyDependencies") or {}
    marked = {name: _marked(value, _values(told.get(name) or (), known)) for name, value in inputs.items()}
    body = _given(shape, convert.to_terraform(shape, {**listed.defaults, **marked}, given=True))
    waits = sorted(_address(known[urn]) for urn in resource.get("dependencies") or () if urn in known)
    if waits:
        body["depends_on"] = waits
    return body


def _given(shape: Shape, values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what nobody set; lists stay, since an empty one says something where it is an attribute."""
    blocks = {field.terraform for field in shape.fields if field.shape.block}
    return {
        name: _pruned(value)
        for name, value in values.items()
        if value is not None and value is not UNKNOWN and not (name in blocks and value in ([], {}))
    }


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if item is not None and item != []}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return "a secret" if _SECRET in value else {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _values(urns: Sequence[str], known: Mapping[str, Resource]) -> dict[str, str]:
    """What the resources gave, each with the expression that stands for it; the longest first."""
    found: dict[str, str] = {}
    for urn in urns:
        if urn not in known:
            continue
        outputs = {"id": known[urn]["id"], **known[urn]["outputs"]}
        for attribute in ("id", "arn", "name", "bucket", "version_id"):
            value = outputs.get(_camel(attribute))
            if isinstance(value, str) and len(value) >= _SHORTEST:
                found.setdefault(value, f"${{{_address(known[urn])}.{attribute}}}")
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def _marked(value: Any, references: Mapping[str, str]) -> Any:
    """``value`` with references in place of what others gave, and nothing else that Terraform would expand."""
    if isinstance(value, dict):
        return {key: _marked(item, references) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item, references) for item in value]
    if not isinstance(value, str):
        return value
    return _spliced(value, list(references.items()))


def _spliced(text: str, references: Sequence[tuple[str, str]]) -> str:
    if not references:
        return text.replace("${", "$${").replace("%{", "%%{")
    (value, expression), *others = references
    return expression.join(_spliced(part, others) for part in text.split(value))


def _address(resource: Resource) -> str:
    return f"{catalog.RESOURCES[resource['type']].terraform}.{_label(resource['urn'])}"


def _label(urn: str) -> str:
    return urn.rpartition("::")[2]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


class Terraform:
    """A folder with a configuration, and its state. The provider's executable is used where it lies, by
    ``dev_overrides``: it is not checked against a lock file at each command, which takes Terraform a second or two."""

    def __init__(self, folder: Path, document: Mapping[str, Any], aws: Mapping[str, str]) -> None:
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "AWS_"))}
        binary = terraform.find(environ)
        if binary is None:
            raise RuntimeError("there is no AWS provider of HashiCorp's here")
        self._folder = folder
        folder.mkdir()
        (folder / "main.tf.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
        here = f'dev_overrides {{ "hashicorp/aws" = "{binary.path.parent}" }}'
        (folder / "terraformrc").write_text(f"provider_installation {{\n  {here}\n  direct {{}}\n}}\n")
        self._environment = {
            **environ,
            **aws,
            "TF_CLI_CONFIG_FILE": str(folder / "terraformrc"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def apply(self) -> None:
        self._run("apply", "-auto-approve")

    def plan(self, *arguments: str) -> float:
        """Seconds of a `terraform plan`."""
        began = time.monotonic()
        self._run("plan", *arguments)
        return time.monotonic() - began

    def planned(self) -> str:
        """What a plan comes to, in Terraform's words."""
        return next(line for line in self._run("plan").splitlines() if line.startswith(("Plan:", "No changes.")))

    def _run(self, *arguments: str) -> str:
        command = ["terraform", *arguments, "-input=false", "-no-color"]
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout
