"""Locations as a stack says them. For any document, either the stack file and overlays give it again, read as the
program reads them, or the location is left alone. That Pulumi reads the file's YAML as Python does is not shown here;
stack_text quotes what YAML's versions could take for something else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.adopt.locations import AdoptedLocation, Ground, LeftLocation, adopted, folders_of
from hybrid.adopt.overlay import said, same
from hybrid.adopt.plan import Adoption
from hybrid.delivery.document import location_document
from hybrid.engine.stack import Stack
from hybrid.plus import Endpoint
from hybrid.workspace import Workspace
from tests.unit.adopt.estate import ACCOUNT, REGION, REGISTRY, VALUE

pytestmark = pytest.mark.unit

ENDPOINT = Endpoint.of("acme", "prod")
DIGEST = "sha256:" + "ab" * 32
CHANGED_BY_SERVING = {"image", "git", "container_context"}


@dataclass
class Checkout:
    """A checkout with the folders that a test makes."""

    root: Path
    digests: dict[str, str] = field(default_factory=dict)
    queues: set[str | None] = field(default_factory=lambda: {None})

    def folder(self, name: str, context: str | None = None, more: str = "", **files: str) -> Path:
        folder = self.root / "locations" / name
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1"\ndependencies = ["dagster-cloud==1.13.27"]\n'
            f'[tool.dg.project]\nroot_module = "{name}"\n{more}'
        )
        for file, text in {"container_context.yaml": context, **files}.items():
            if text is not None:
                (folder / file.replace("__", ".")).write_text(text)
        return folder

    @property
    def ground(self) -> Ground:
        return Ground(
            self.root,
            "ecs",
            "prod",
            folders_of(self.root, "prod"),
            lambda image: self.digests.get(str(image)),
            self.queues,
        )

    def adopted(self, name: str, document: dict) -> AdoptedLocation:
        found = adopted(name, document, self.ground)
        assert isinstance(found, AdoptedLocation), found
        return found

    def left(self, name: str, document: dict) -> str:
        found = adopted(name, document, self.ground)
        assert isinstance(found, LeftLocation), found
        return found.why

    def written(self, *locations: AdoptedLocation) -> Stack:
        """The stack as the program reads it from what was written."""
        adoption = Adoption(
            "prod", ENDPOINT, "us", {"kind": "ecs", "queues": {"additional": sorted(self.queues - {None})}},
            {"aws": {"account": ACCOUNT, "region": REGION}}, locations, [],
        )  # fmt: skip
        for path, text in adoption.files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        return Stack.read(Workspace(self.root), "prod")

    def rendered(self, stack: Stack, image: str) -> dict:
        (folder,) = stack.folders
        return location_document(folder, image=image, platform="ecs")


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def document(name="hello", image=f"{REGISTRY}/hello:1", **more):
    return {"location_name": name, "image": image, "code_source": {"module_name": f"{name}.definitions"}, **more}


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    [
        "1e3",
        "yes",
        "null",
        "012",
        "0x1F",
        "1_000",
        "~",
        "a: b",
        "# no",
        "- x",
        "'",
        '"',
        "{x",
        "2026-01-01",
        " a ",
        "=",
        "é\n\tb",
    ]
)
KEYS = st.sampled_from(["cpu", "memory", "a", "B_1", "1e3", "yes", "on"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS,
    lambda each: st.lists(each, max_size=2) | st.dictionaries(KEYS, each, max_size=2),
    max_leaves=5,
)
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "env_vars": st.lists(st.builds("{}={}".format, st.sampled_from(["A", "B", "C"]), TEXTS), max_size=3),
        "secrets": st.lists(st.builds(lambda name: {"name": name, "valueFrom": "arn"}, TEXTS), max_size=2),
        "server_resources": st.dictionaries(KEYS, VALUES, max_size=2),
        "task_role_arn": st.just("arn:aws:iam::123456789012:role/x"),
        "further": VALUES,
    },
)
MODULES = st.sampled_from(["hello", "hello.definitions"])
DOCUMENTS = st.fixed_dictionaries(
    {
        "image": st.sampled_from([f"{REGISTRY}/hello:1", f"{REGISTRY}/hello@{DIGEST}", "acme/hello", "1e3"]),
        "code_source": st.one_of(
            st.builds(lambda name: {"module_name": name}, MODULES),
            st.builds(lambda name: {"package_name": name, "module_name": None}, MODULES),
            st.builds(lambda name: {"python_file": name}, TEXTS.filter(bool)),
        ),
    },
    optional={
        "attribute": TEXTS.filter(bool),
        "working_directory": TEXTS.filter(bool),
        "executable_path": TEXTS.filter(bool),
        "agent_queue": st.sampled_from(["gpu", None]),
        "container_context": st.fixed_dictionaries({}, optional={"ecs": CONTEXTS, "k8s": VALUES}),
        "git": st.just({"commit_hash": "abc", "url": "https://example.com"}),
    },
)
BASES = st.none() | CONTEXTS


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, BASES, st.booleans())
def test_what_is_written_says_what_dagster_plus_has(found, base, has_digest):
    with TemporaryDirectory() as folder:
        checkout = Checkout(Path(folder), queues={None, "gpu"})
        if has_digest:
            checkout.digests = {f"{REGISTRY}/hello:1": DIGEST}
        if base is not None:
            try:
                checkout.folder("hello", yaml.safe_dump({"ecs": base}))
                folders_of(checkout.root, "prod")
            except Exception:
                return
        location = adopted("hello", {"location_name": "hello", **found}, checkout.ground)
        if isinstance(location, LeftLocation):
            return
        rendered = checkout.rendered(checkout.written(location), found["image"])
        expected = {key: value for key, value in found.items() if key != "git"}
        expected["container_context"] = {"ecs": (found.get("container_context") or {}).get("ecs")}
        assert same({**rendered, "location_name": None}, expected)
        assert same(rendered, location.document), "what is announced is what is read again"
        assert {change.path.partition(".")[0] for change in location.changes} <= CHANGED_BY_SERVING


def test_one_without_a_folder_is_served_from_its_image(checkout):
    found = document(agent_queue="gpu", working_directory="/app", container_context={"ecs": {"env_vars": ["A=1"]}})
    checkout.queues = {None, "gpu"}
    location = checkout.adopted("hello", found)
    assert location.served == {
        "name": "hello",
        "image": f"{REGISTRY}/hello:1",
        "moduleName": "hello.definitions",
        "workingDirectory": "/app",
        "agentQueue": "gpu",
        "containerContext": {"ecs": {"env_vars": ["A=1"]}},
    }
    assert checkout.rendered(checkout.written(location), found["image"]) == found


def test_one_with_a_folder_is_held_at_its_image_and_its_differences_are_an_overlay(checkout):
    checkout.folder("hello", "ecs:\n  server_resources: {cpu: '256', memory: '512'}\n")
    checkout.digests = {f"{REGISTRY}/hello:1": DIGEST}
    found = document(container_context={"ecs": {"server_resources": {"cpu": "256", "memory": "1024"}}})
    location = checkout.adopted("hello", found)
    assert location.served == "hello"
    assert location.pin == f"{REGISTRY}/hello@{DIGEST}", "else the next `up` would build and roll out its folder"
    path, text = location.overlay
    assert path == "locations/hello/container_context.prod.yaml"
    assert yaml.safe_load(text) == {"ecs": {"server_resources": {"memory": "1024"}}}
    stack = checkout.written(location)
    assert stack.who.settings.pins == {"hello": location.pin}
    assert checkout.rendered(stack, found["image"]) == found


def test_a_folder_that_says_all_of_it_gets_no_overlay(checkout):
    checkout.folder("hello", "ecs: {env_vars: [A=1]}\n")
    checkout.digests = {f"{REGISTRY}/hello:1": DIGEST}
    assert checkout.adopted("hello", document(container_context={"ecs": {"env_vars": ["A=1"]}})).overlay is None


def test_an_overlay_that_is_there_is_kept_and_added_to(checkout):
    folder = checkout.folder("hello", "ecs: {env_vars: [A=1]}\n")
    (folder / "container_context.prod.yaml").write_text("docker: {networks: [x]}\necs: {run_resources: {cpu: '512'}}\n")
    checkout.digests = {f"{REGISTRY}/hello:1": DIGEST}
    context = {"env_vars": ["A=2"], "run_resources": {"cpu": "512"}}
    _, text = checkout.adopted("hello", document(container_context={"ecs": context})).overlay
    assert yaml.safe_load(text) == {
        "docker": {"networks": ["x"]},
        "ecs": {"run_resources": {"cpu": "512"}, "env_vars": ["A=2"]},
    }


@pytest.mark.parametrize(
    ("more", "found", "digest", "why"),
    [
        ('agent_queue = "gpu"\n', {}, DIGEST, "says another agent_queue"),
        ("", {"code_source": {"module_name": "other"}}, DIGEST, "says another code_source"),
        ("", {}, None, "digest of its image is not known"),
        ("", {"container_context": {"ecs": {"env_vars": ["B=1"]}}}, DIGEST, "no overlay"),
    ],
)
def test_a_folder_that_cannot_say_it_gives_way_to_the_image(checkout, more, found, digest, why):
    checkout.folder("hello", "ecs: {env_vars: [A=1]}\n", more)
    if digest:
        checkout.digests = {f"{REGISTRY}/hello:1": digest}
    found = document(**{"container_context": {"ecs": {"env_vars": ["A=1"]}}, **found})
    location = checkout.adopted("hello", found)
    assert why in location.why_image, "people are told why their folder is not served"
    assert location.served["image"] == f"{REGISTRY}/hello:1"
    assert checkout.rendered(checkout.written(location), found["image"]) == found


@pytest.mark.parametrize(
    ("name", "found", "why"),
    [
        ("hello", {"image": None}, "runs from no image"),
        ("hello", {"image": "a b"}, "is no image reference"),
        ("hello", {"code_source": {"autoload_defs_module_name": "hello"}}, "only a folder"),
        ("hello", {"code_source": {}}, "loads by nothing"),
        ("hello", {"agent_queue": "gpu"}, "on the queue gpu, which this agent does not take"),
        ("-x", {}, "its name cannot be one here"),
        ("hello", {"attribute": 7}, "is no text"),
    ],
)
def test_what_a_stack_cannot_say_is_left_alone_with_the_reason(checkout, name, found, why):
    assert why in checkout.left(name, document(name, **found))


@pytest.mark.parametrize(
    "context",
    [
        {"env_vars": [f"DB_PASSWORD={VALUE}"]},
        {
            "server_sidecar_containers": [
                {"name": "x", "image": "y", "environment": [{"name": "API_KEY", "value": VALUE}]}
            ]
        },
        {"env_vars": ["DB=postgres://me:" + VALUE + "@host/x"]},
    ],
)
def test_a_secret_in_plain_text_gets_into_no_file(checkout, context):
    why = checkout.left("hello", document(container_context={"ecs": context}))
    assert "looks like a secret" in why
    assert VALUE not in why, "its name is enough"


def test_serving_names_the_image_by_digest_and_drops_the_commit(checkout):
    checkout.digests = {f"{REGISTRY}/hello:1": DIGEST}
    found = document(git={"commit_hash": "abc"}, container_context={"k8s": {"namespace": "x"}})
    changes = {change.path: (change.old, change.new) for change in checkout.adopted("hello", found).changes}
    assert changes == {
        "image": (f"{REGISTRY}/hello:1", f"{REGISTRY}/hello@{DIGEST}"),
        "git.commit_hash": ("abc", None),
        "container_context.k8s.namespace": ("x", None),
    }


def test_serving_changes_nothing_of_one_that_says_its_digest(checkout):
    context = {"ecs": {"task_role_arn": "arn:aws:iam::123456789012:role/hello"}}
    found = document(image=f"{REGISTRY}/hello@{DIGEST}", container_context=context)
    assert checkout.adopted("hello", found).changes == ()


def test_images_of_folders_go_on_to_where_they_are(checkout):
    for name in ("hello", "other"):
        checkout.folder(name, more=f'code_location_target_module = "{name}.definitions"\n')
        checkout.digests[f"{REGISTRY}/data/{name}:1"] = DIGEST
    locations = [checkout.adopted(name, document(name, f"{REGISTRY}/data/{name}:1")) for name in ("hello", "other")]
    assert checkout.written(*locations).who.settings.registry.address == f"{REGISTRY}/data"


def test_repositories_that_are_named_otherwise_are_not_taken_for_the_stacks(checkout):
    checkout.folder("hello")
    checkout.digests = {f"{REGISTRY}/all-in-one:1": DIGEST}
    location = checkout.adopted("hello", document(image=f"{REGISTRY}/all-in-one:1"))
    assert location.pin
    assert checkout.written(location).who.settings.registry is None, "the stack makes a repository of its own"


def test_what_is_null_or_empty_says_nothing():
    assert said({"a": None, "b": [], "c": {"d": {}}, "e": [None, 1]}) == {"e": [None, 1]}
