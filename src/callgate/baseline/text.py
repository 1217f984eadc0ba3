"""The kinds of text a user writes in baselines, sites and waivers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_LINE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Form:
    """A form a name must have. `words` show it to who wrote another, like `a control id like LSN-01`."""

    pattern: str
    words: str
    limit: int

    def fits(self, value: str) -> bool:
        """Whether a value has this form, of whatever length."""
        return re.fullmatch(self.pattern, value) is not None

    def __call__(self, value: str) -> str:
        """The value itself. Raises ValueError when it has another form."""
        if not self.fits(value):
            raise ValueError(f"{self.words} is expected")
        if len(value) > self.limit:
            raise ValueError(f"at most {self.limit} characters are expected")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^{self.pattern}$", "maxLength": self.limit}


def _one_line(value: str) -> str:
    line = value.strip()
    if not line or len(line.splitlines()) > 1:
        raise ValueError("one line of text is expected" if line else "is empty; one line of text is expected")
    if len(value) > _LINE_LIMIT:
        raise ValueError(f"one line of at most {_LINE_LIMIT} characters is expected")
    return line


def _some_text(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; text is expected")
    return value


Line = Annotated[
    str,
    AfterValidator(_one_line),
    WithJsonSchema({"type": ["string", "number"], "minLength": 1, "maxLength": _LINE_LIMIT}),
]
"""One line of text. A number counts as the text it is written as, where the model takes numbers for text."""

Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Switch = Annotated[bool, Field(strict=True)]
"""`true` or `false` as YAML knows them, neither a number nor a word in quotes."""
Paragraph = Annotated[str, Field(min_length=1), AfterValidator(_some_text)]
