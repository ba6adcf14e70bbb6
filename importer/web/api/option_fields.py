"""The fields of import options in requests and responses, generated from the table of options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.import_options import OPTIONS, Option, choices_from_json, json_of

FieldDefinitions = dict[str, Any]
"""For `pydantic.create_model`."""


def requested(describe: Callable[[Option], str]) -> FieldDefinitions:
    """A field for each option; null leaves it open."""
    return {
        name: (_request_type(option) | None, Field(None, description=describe(option)))
        for name, option in OPTIONS.items()
    }


def shown() -> FieldDefinitions:
    """A field for the value of each option."""
    return {name: (option.api_type, Field(description=option.help)) for name, option in OPTIONS.items()}


def choices(fields: BaseModel) -> Mapping[str, Any]:
    """The options that the fields select."""
    values = {name: getattr(fields, name) for name in OPTIONS if name in type(fields).model_fields}
    return choices_from_json({name: json_of(value) for name, value in values.items() if value is not None})


def _request_type(option: Option) -> Any:
    if option.api_type is not str:
        return option.api_type
    return Annotated[str, Field(max_length=2000), AfterValidator(partial(_checked, option))]


def _checked(option: Option, text: str) -> str:
    try:
        option.parse(text)
    except Refused as refused:
        raise PydanticCustomError(
            "value_error", "{rule}", {"rule": refused.rule, "text": refused.text}
        ) from None
    return text
