"""docs/options.md, from the table of options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from docs.generate.markdown import table
from importer.domain.import_options import OPTIONS, Option, text_of

_INTRODUCTION: Final = """\
# Options of an import

Made from `importer/domain/import_options.py` by `make document`.

Each option may be chosen for one row (a column of the [CSV file](usage/csv.md), a field of the [API](usage/api.md)), for a
whole submission (an option of `copy`, `submit` and `batch`, a field of the API, the form of the pages) and for the
installation (a setting). A row precedes its submission, which precedes the setting. `check` counts by the same options.
Running an import again keeps its options where nothing else is chosen, except at the console, where `copy` and `submit`
start from the settings.
"""


def render() -> str:
    """The whole page."""
    return "\n".join((_INTRODUCTION, *_rows())) + "\n"


def _rows() -> Iterator[str]:
    heads = ("CSV column, API field", "console", "setting, default", "form", "meaning")
    yield from table(heads, [_row(option) for option in OPTIONS.values()])


def _row(option: Option) -> tuple[str, ...]:
    flag = f"--{option.name.replace('_', '-')}"
    console = f"`{flag}`, `--no-{flag[2:]}`" if option.api_type is bool else f"`{flag}`"
    setting = f"`MAILHAUL_{option.name.upper()}`, {text_of(option.default)}"
    form = f"{option.title}{' (Gmail)' if option.needs_labels else ''}"
    return f"`{option.name}`: {option.rule}", console, setting, form, option.help
