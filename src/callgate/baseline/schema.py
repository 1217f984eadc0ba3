"""The published JSON Schemas of the files a user writes. The same text lies in baselines/schema/ for editors."""

from __future__ import annotations

import ast
import inspect
import json
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from callgate.baseline.baseline_file import BaselineFile
from callgate.baseline.site import Site, WaiverFile

KINDS: dict[str, type[BaseModel]] = {"baseline": BaselineFile, "site": Site, "waivers": WaiverFile}


class _Published(GenerateJsonSchema):
    """Pydantic's schema with what an editor needs: the words on each key, and no key beyond the known ones."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A model, each field described by the string that follows it in the source."""
        made = super().model_schema(schema)
        for name, words in _field_words(schema["cls"]).items():
            made["properties"][name]["description"] = words
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A mapping; where its keys have a form, others are refused."""
        made = super().dict_schema(schema)
        if "patternProperties" in made:
            made["additionalProperties"] = False
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        """A key names itself."""
        return False


def schema_text(kind: str) -> str:
    """The schema of `baseline`, `site` or `waivers`, as JSON text (draft 2020-12)."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **KINDS[kind].model_json_schema(schema_generator=_Published),
        "title": f"Callgate {kind}",
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _field_words(model: type[BaseModel]) -> dict[str, str]:
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)
    words = {}
    for statement, after in pairwise(definition.body):
        match statement, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                words[name] = inspect.cleandoc(text)
    return words
