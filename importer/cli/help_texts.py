"""The help of commands and options in the reader's language.

The English texts are part of a command's declaration: its docstring, the `help=` of its options and
arguments, a row of `importer.domain.import_options`. `python -m tests.texts` extracts them into the catalogs.
Examples, and a bracket at the end of a text (`[env: NAME]`, `[one, another]`), are not translated.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from copy import copy
from typing import Final

import click

from importer.cli.argument_texts import argument_texts

_BRACKET: Final = re.compile(r" \[[^]]+\]$")
_AS_WRITTEN: Final = "\b\n"
"""Click's mark of a paragraph whose lines are kept: a heading, then an example."""


class SpokenContext(click.Context):
    """Shows the help of its command in the reader's language."""

    def get_help(self) -> str:
        return translated(self.command, argument_texts().gettext).get_help(self)


def help_texts(command: click.Command) -> list[str]:
    """The English texts in the help of a command and of its subcommands."""
    found: dict[str, str] = {}
    translated(command, lambda text: found.setdefault(text, text))
    return list(found)


def translated(command: click.Command, translate: Callable[[str], str]) -> click.Command:
    """A copy of the command, with its subcommands, whose help texts `translate` has translated."""
    shown = copy(command)
    shown._help_option = None  # Click creates it again, in this language
    paragraphs = [_paragraph(text, translate) for text in _paragraphs(command.help)]
    shown.help = "\n\n".join(paragraphs)
    shown.short_help = next(iter(paragraphs), "")  # the list of commands truncates a `help`, and wraps this
    shown.params = [_parameter(parameter, translate) for parameter in command.params]
    if isinstance(command, click.Group) and isinstance(shown, click.Group):
        ctx = click.Context(command)
        shown.commands = {
            name: translated(found, translate)
            for name in command.list_commands(ctx)
            if (found := command.get_command(ctx, name)) is not None
        }
    return shown


def _paragraphs(text: str | None) -> list[str]:
    return inspect.cleandoc(text).split("\n\n") if text else []


def _paragraph(text: str, translate: Callable[[str], str]) -> str:
    if text.startswith(_AS_WRITTEN):
        heading, _, lines = text.removeprefix(_AS_WRITTEN).partition("\n")
        return f"{_AS_WRITTEN}{translate(heading)}\n{lines}"
    return translate(" ".join(text.split()))


def _parameter(parameter: click.Parameter, translate: Callable[[str], str]) -> click.Parameter:
    shown = copy(parameter)
    if isinstance(shown, click.Option | click.Argument) and shown.help:
        bracket = match[0] if (match := _BRACKET.search(shown.help)) else ""
        shown.help = translate(shown.help.removesuffix(bracket)) + bracket
    return shown
