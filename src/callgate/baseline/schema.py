"""The published JSON Schemas of the files a user writes."""

from __future__ import annotations

import json

from pydantic import BaseModel

from callgate.baseline.library import BaselineFile
from callgate.baseline.site import Site, WaiverFile

KINDS: dict[str, type[BaseModel]] = {"baseline": BaselineFile, "site": Site, "waivers": WaiverFile}


def schema_text(kind: str) -> str:
    """The schema of `baseline`, `site` or `waivers`, as JSON text (draft 2020-12)."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **KINDS[kind].model_json_schema()}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
