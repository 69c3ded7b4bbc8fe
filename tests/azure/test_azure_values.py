"""Where code of an Azure stack stores values: the variables that it is given, and the IO manager that reads them.
Azure's storage is not asked; what the manager does there is Dagster's own (dagster_azure.adls2)."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import dagster as dg
import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.filedatalake import DataLakeServiceClient
from dagster_azure.adls2 import PickledObjectADLS2IOManager

import asset_values.io_manager as managers
from hybrid.errors import SettingsError
from stacks.stored_values import in_context, stored_value_variables, stored_values_place
from tests.azure.test_azure_program import identity

pytestmark = pytest.mark.contracts

WANTED = {"assetValues": {"ioManager": True}}


def test_code_is_told_of_the_stacks_container_by_its_document() -> None:
    who = identity(**WANTED)
    told = stored_value_variables(who)
    assert told["DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE"] == "adls2_pickle_io_manager"
    assert told["ASSET_VALUES_CONTAINER"] == "asset-values"
    assert told["ASSET_VALUES_ACCOUNT"].startswith("hybridprod"), "the account that the program makes"
    document = in_context(who, {"location_name": "hello"})
    assert f"ASSET_VALUES_ACCOUNT={told['ASSET_VALUES_ACCOUNT']}" in document["container_context"]["aca"]["env_vars"]
    place = stored_values_place(who)
    assert place is not None
    account = told["ASSET_VALUES_ACCOUNT"]
    assert place.url == f"abfss://asset-values@{account}.dfs.core.windows.net/assets", "where a copy goes, too"


def test_a_place_that_is_there_is_told_and_a_role_of_aws_refused() -> None:
    who = identity({"storage": {"account": "acmevalues", "container": "values"}}, **WANTED)
    told = stored_value_variables(who)
    assert (told["ASSET_VALUES_ACCOUNT"], told["ASSET_VALUES_CONTAINER"]) == ("acmevalues", "values")
    writer = {"principal": "arn:aws:iam::123456789012:role/x", "externalId": "x" * 8, "until": "2026-12-31"}
    with pytest.raises(SettingsError, match="a role of AWS"):
        identity(assetValues={"writer": writer})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """By whom clients were asked for, in the stead of Azure's own."""
    asked: dict[str, Any] = {}

    def client(kind: type) -> Any:
        def make(account: str, credential: Any) -> Any:
            asked[kind.__name__] = (account, type(credential).__name__)
            return create_autospec(kind, instance=True)

        return make

    monkeypatch.setattr("dagster_azure.adls2.create_adls2_client", client(DataLakeServiceClient))
    monkeypatch.setattr("dagster_azure.blob.utils.create_blob_client", client(BlobServiceClient))
    return asked


def test_the_manager_is_dagsters_own_by_the_identity_of_code(made, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stored_value_variables(identity(**WANTED)).items():
        monkeypatch.setenv(name, value)
    manager = managers.adls2_pickle_io_manager(dg.build_init_resource_context())
    assert type(manager) is PickledObjectADLS2IOManager
    assert manager.prefix == "assets"
    account = stored_value_variables(identity(**WANTED))["ASSET_VALUES_ACCOUNT"]
    assert made == {
        "DataLakeServiceClient": (account, "DefaultAzureCredential"),
        "BlobServiceClient": (account, "DefaultAzureCredential"),
    }, "no key of the account is asked for: it has none"


@pytest.mark.parametrize("lacking", ["ASSET_VALUES_ACCOUNT", "ASSET_VALUES_CONTAINER"])
def test_a_variable_that_is_missing_is_named(made, lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stored_value_variables(identity(**WANTED)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(lacking)
    with pytest.raises(managers.MissingSettingError, match=lacking):
        managers.adls2_pickle_io_manager(dg.build_init_resource_context())
