"""An organization in memory, as ``hybrid.plus.PlusClient`` shows it to what works on branch deployments. It records
every write, and a test can have somebody else write in between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hybrid.plus import Agent, Branch, BranchDeployment, CodeLocationStatus, Commit, Deployment, Endpoint, Failure

OLD = Commit("a" * 40, 1000.0, "old")
OURS = Commit("b" * 40, 2000.0, "ours")
NEW = Commit("c" * 40, 3000.0, "new")
BRANCH = Branch("acme/data", "feature", pull_request_number="7", pull_request_status="OPEN")


def agent(label: str = "hybrid-prod", status: str = "RUNNING") -> Agent:
    return Agent("1", label, status, 100.0, "X", {}, (), ())


def status(
    name: str, image: str | None = None, *, error: str | None = None, outdated: bool = False
) -> CodeLocationStatus:
    failure = Failure(error, "  File definitions.py, line 1") if error else None
    return CodeLocationStatus(name, "LOADED", image, failure, 1.0, 1.0, 1.0, outdated)


@dataclass
class Organization:
    """``writes`` are what was done, in order; ``before_looks`` are called one by one, each right before a question for
    a deployment by its name."""

    found: dict[str, BranchDeployment] = field(default_factory=dict)
    documents: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    statuses: dict[str, list[CodeLocationStatus]] = field(default_factory=dict)
    agents: list[Agent] = field(default_factory=lambda: [agent()])
    writes: list[str] = field(default_factory=list)
    before_looks: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.found.setdefault("prod", BranchDeployment(Deployment(1, "prod", "PRODUCTION", "HYBRID"), *[None] * 5))
        self.documents.setdefault("prod", {})

    def client(self, deployment: str = "prod") -> Any:
        return Client(self, Endpoint("https://acme.dagster.cloud", "acme", deployment))

    def put(self, branch: Branch, commit: Commit, base: str = "prod") -> BranchDeployment:
        name = hashlib.sha256(f"{branch.repository}#{branch.name}".encode()).hexdigest()[:12]
        number = self.found[name].deployment.id if name in self.found else 10 + len(self.found)
        self.documents.setdefault(name, {})
        self.found[name] = BranchDeployment(
            Deployment(number, name, "BRANCH", "HYBRID"),
            base,
            branch.repository,
            branch.name,
            branch.pull_request_url,
            branch.pull_request_status,
            branch.pull_request_number,
            branch.url,
            commit,
        )
        return self.found[name]

    def turns_into(self, name: str, **changed: Any) -> None:
        """The deployment of that name is another one by now."""
        self.found[name] = replace(self.found[name], deployment=replace(self.found[name].deployment, **changed))


@dataclass
class Client:
    organization: Organization
    endpoint: Endpoint

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @property
    def _name(self) -> str:
        return self.endpoint.deployment

    def current_deployment(self) -> Deployment:
        return self.organization.found[self._name].deployment

    def branch_deployments(self, limit: int) -> list[BranchDeployment]:
        return [each for each in self.organization.found.values() if each.deployment.type == "BRANCH"][:limit]

    def deployment_named(self, name: str) -> BranchDeployment | None:
        if self.organization.before_looks:
            self.organization.before_looks.pop(0)()
        return self.organization.found.get(name)

    def put_branch_deployment(self, branch: Branch, commit: Commit) -> BranchDeployment:
        self.organization.writes.append(f"claim {commit.hash[:1]} {branch.pull_request_status}")
        return self.organization.put(branch, commit, self._name)

    def delete_deployment(self, number: int) -> bool:
        name = next(name for name, each in self.organization.found.items() if each.deployment.id == number)
        self.organization.writes.append(f"delete {name}")
        del self.organization.found[name]
        return True

    def location_documents(self) -> dict[str, dict[str, Any]]:
        return dict(self.organization.documents[self._name])

    def code_locations(self) -> list[CodeLocationStatus]:
        return self.organization.statuses.get(self._name, [])

    def put_location(self, document: dict[str, Any]) -> str:
        name = str(document["location_name"])
        self.organization.writes.append(f"put {name} in {self._name}")
        self.organization.documents[self._name][name] = document
        return name

    def delete_location(self, name: str) -> bool:
        self.organization.writes.append(f"remove {name} from {self._name}")
        return self.organization.documents[self._name].pop(name, None) is not None

    def agents(self) -> list[Agent]:
        return self.organization.agents
