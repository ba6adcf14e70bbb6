"""Click's own words in the reader's language: usage errors, the headings of help, prompts.

Click marks its texts for gettext (https://click.palletsprojects.com/en/stable/changes/, version 8.0.0) and
ships no catalogs. Its modules bind `gettext` and `ngettext` when they are imported; `translate_click` binds
them to the catalogs of `importer.i18n`. `tests/unit/test_console_language.py` compares `CLICK_TEXTS` and
`CLICK_PLURALS` with the sources of the installed Click.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from importer.cli.argument_texts import argument_texts
from importer.cli.help_texts import SpokenContext
from importer.i18n.translations import N_


def ngettext(singular: str, plural: str) -> tuple[str, str]:
    """Marks a singular and a plural for the catalogs."""
    return singular, plural


CLICK_TEXTS: Final = frozenset(
    {
        N_("Usage:"),
        N_("Options"),
        N_("Positional arguments"),
        N_("Commands"),
        N_("Show this message and exit."),
        N_("default: {default}"),
        N_("required"),
        N_("Missing command."),
        N_("Missing argument"),
        N_("Missing option"),
        N_("No such option {name!r}."),
        N_("No such command {name!r}."),
        N_("Invalid value: {message}"),
        N_("Invalid value for {param_hint}: {message}"),
        N_("{value!r} is not a valid {number_type}."),
        N_("{value} is not in the range {range}."),
        N_("Option {name!r} does not take a value."),
    }
)
CLICK_PLURALS: Final = frozenset(
    {
        ngettext("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),
        ngettext("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
        ngettext("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
        ngettext("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    }
)
"""Singular and plural."""

_MODULES: Final = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types", "utils")


def translate_click() -> None:
    """Switches Click's texts in this process to the reader's language."""
    click.Command.context_class = SpokenContext
    for name in _MODULES:
        module = import_module(f"click.{name}")
        vars(module).update({bound: _BOUND[bound] for bound in _BOUND if hasattr(module, bound)})


def _gettext(message: str) -> str:
    return argument_texts().gettext(message)


def _ngettext(singular: str, plural: str, number: int) -> str:
    return argument_texts().ngettext(singular, plural, number)


_BOUND: Final = {"_": _gettext, "ngettext": _ngettext}
