"""The topology language as a JSON Schema, for editors and other programs (pure).

It is pydantic's, made from the model: what the file may say and in which form. What refers to what
is beyond it (`vnetlab validate` checks that), and so are Jinja2's marks: of a template it describes
what comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic.json_schema import GenerateJsonSchema

from vnetlab.topology.model_file import TopologyFile

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema, core_schema


def json_schema() -> JsonSchemaValue:
    """The schema of a topology file, by JSON Schema draft 2020-12."""
    schema = TopologyFile.model_json_schema(schema_generator=_Generator)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **schema,
        "title": "vnetlab topology",
    }


class _Generator(GenerateJsonSchema):
    """Pydantic's, without what tells a reader nothing: a title like the key, an empty default."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:  # noqa: ARG002 # the base class's signature
        """Whether a key is to have a title: it says what it is itself."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Describe a value with a default; None and nothing are told in its description."""
        described = super().default_schema(schema)
        if described.get("default") in (None, {}):
            described.pop("default", None)
        return described
