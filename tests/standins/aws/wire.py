"""The messages and calls of Terraform's plugin protocol 5 that are used here, built in code.

Field names and numbers: tfprotov5/internal/tfplugin5/tfplugin5.proto of github.com/hashicorp/terraform-plugin-go 0.31.
Fields that are left out are skipped when a message is read.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "tfplugin5"
VERSION: Final = "5"

_SCALARS: Final = {
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "enum": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,  # an enumeration is a number on the wire
}

# "name": (number, type); "[x]" repeats, "{x}" is a map from names to x.
_MESSAGES: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "DynamicValue": {"msgpack": (1, "bytes"), "json": (2, "bytes")},
    "Step": {"attribute_name": (1, "string"), "element_key_string": (2, "string"), "element_key_int": (3, "int64")},
    "AttributePath": {"steps": (1, "[Step]")},
    "Diagnostic": {
        "severity": (1, "enum"),
        "summary": (2, "string"),
        "detail": (3, "string"),
        "attribute": (4, "AttributePath"),
    },
    "Attribute": {
        "name": (1, "string"),
        "type": (2, "bytes"),
        "required": (4, "bool"),
        "optional": (5, "bool"),
        "computed": (6, "bool"),
        "sensitive": (7, "bool"),
        "write_only": (10, "bool"),
    },
    "NestedBlock": {
        "type_name": (1, "string"),
        "block": (2, "Block"),
        "nesting": (3, "enum"),
        "min_items": (4, "int64"),
        "max_items": (5, "int64"),
    },
    "Block": {"version": (1, "int64"), "attributes": (2, "[Attribute]"), "block_types": (3, "[NestedBlock]")},
    "Schema": {"version": (1, "int64"), "block": (2, "Block")},
    "Empty": {},
    "Schemas": {
        "provider": (1, "Schema"),
        "resource_schemas": (2, "{Schema}"),
        "data_source_schemas": (3, "{Schema}"),
        "diagnostics": (4, "[Diagnostic]"),
    },
    "PrepareRequest": {"config": (1, "DynamicValue")},
    "PrepareAnswer": {"prepared_config": (1, "DynamicValue"), "diagnostics": (2, "[Diagnostic]")},
    "ConfigureRequest": {"terraform_version": (1, "string"), "config": (2, "DynamicValue")},
    "Diagnostics": {"diagnostics": (1, "[Diagnostic]")},
    "ValidateRequest": {"type_name": (1, "string"), "config": (2, "DynamicValue")},
    "ReadRequest": {"type_name": (1, "string"), "current_state": (2, "DynamicValue"), "private": (3, "bytes")},
    "ReadAnswer": {"new_state": (1, "DynamicValue"), "diagnostics": (2, "[Diagnostic]"), "private": (3, "bytes")},
    "PlanRequest": {
        "type_name": (1, "string"),
        "prior_state": (2, "DynamicValue"),
        "proposed_new_state": (3, "DynamicValue"),
        "config": (4, "DynamicValue"),
        "prior_private": (5, "bytes"),
    },
    "PlanAnswer": {
        "planned_state": (1, "DynamicValue"),
        "requires_replace": (2, "[AttributePath]"),
        "planned_private": (3, "bytes"),
        "diagnostics": (4, "[Diagnostic]"),
    },
    "ApplyRequest": {
        "type_name": (1, "string"),
        "prior_state": (2, "DynamicValue"),
        "planned_state": (3, "DynamicValue"),
        "config": (4, "DynamicValue"),
        "planned_private": (5, "bytes"),
    },
    "ApplyAnswer": {"new_state": (1, "DynamicValue"), "private": (2, "bytes"), "diagnostics": (3, "[Diagnostic]")},
    "ImportRequest": {"type_name": (1, "string"), "id": (2, "string")},
    "ImportedResource": {"type_name": (1, "string"), "state": (2, "DynamicValue"), "private": (3, "bytes")},
    "ImportAnswer": {"imported_resources": (1, "[ImportedResource]"), "diagnostics": (2, "[Diagnostic]")},
    "DataAnswer": {"state": (1, "DynamicValue"), "diagnostics": (2, "[Diagnostic]")},
    "StopAnswer": {"Error": (1, "string")},
}

CALLS: Final[dict[str, tuple[str, str]]] = {
    "GetSchema": ("Empty", "Schemas"),
    "PrepareProviderConfig": ("PrepareRequest", "PrepareAnswer"),
    "Configure": ("ConfigureRequest", "Diagnostics"),
    "ValidateResourceTypeConfig": ("ValidateRequest", "Diagnostics"),
    "ValidateDataSourceConfig": ("ValidateRequest", "Diagnostics"),
    "ReadResource": ("ReadRequest", "ReadAnswer"),
    "PlanResourceChange": ("PlanRequest", "PlanAnswer"),
    "ApplyResourceChange": ("ApplyRequest", "ApplyAnswer"),
    "ImportResourceState": ("ImportRequest", "ImportAnswer"),
    "ReadDataSource": ("ValidateRequest", "DataAnswer"),
    "Stop": ("Empty", "StopAnswer"),
}
"""Each call with the message it takes and the one it answers with."""


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tfplugin5.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add(message, field, number, kind)
    return file


def _add(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    entry = message.field.add(name=name, number=number, label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
    inner = kind.strip("[]{}")
    if kind[0] in "[{":
        entry.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    if kind[0] == "{":
        pair = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        nested = message.nested_type.add(name=pair)
        nested.options.map_entry = True
        _add(nested, "key", 1, "string")
        _add(nested, "value", 2, inner)
        inner = f"{message.name}.{pair}"
    if inner in _SCALARS:
        entry.type = _SCALARS[inner]
    else:
        entry.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        entry.type_name = f".{PACKAGE}.{inner}"


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()  # a pool of its own: nothing else in the process knows these messages
    pool.Add(_file())
    found = {name: pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in _MESSAGES}
    return {name: message_factory.GetMessageClass(described) for name, described in found.items()}


MESSAGES: Final = _classes()
"""The message classes by name."""
