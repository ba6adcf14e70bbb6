"""docs/cli.md, from the commands of the console."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Final

import click

from docs.generate.markdown import table
from importer.cli.command_table import COMMAND_NAMES, load_command

_INTRODUCTION: Final = """\
# Commands

Made from the console by `make document`. `mailhaul COMMAND --help` shows the same. `--json` prints facts for programs.
[Exit codes](usage/copy.md#exit-codes)
"""


def render() -> str:
    """The whole page."""
    return "\n".join((_INTRODUCTION, *_overview(), "", *_commands())).rstrip() + "\n"


def _overview() -> Iterator[str]:
    rows = [(f"[`{name}`](#mailhaul-{name})", _summary(command)) for name, command in _all()]
    yield from table(("command", "purpose"), rows)


def _commands() -> Iterator[str]:
    for name, command in _all():
        yield from _section(f"mailhaul {name}", command)
        if isinstance(command, click.Group):
            for sub_name, sub_command in command.commands.items():
                yield from _section(f"mailhaul {name} {sub_name}", sub_command)


def _section(name: str, command: click.Command) -> Iterator[str]:
    yield f"## {name}\n"
    text, _, example = inspect.cleandoc(command.help or "").replace("\b", "").partition("Example:")
    yield _one_line(text) + "\n"
    if example:
        yield f"```sh\n{textwrap.dedent(example.strip(chr(10))).rstrip()}\n```\n"
    rows = [row for parameter in command.params if (row := _row(parameter))]
    if rows:
        yield "\n".join(table(("option", "meaning"), rows)) + "\n"


def _row(parameter: click.Parameter) -> tuple[str, str] | None:
    record = None
    if isinstance(parameter, click.Option) and not parameter.hidden:
        record = parameter.get_help_record(click.Context(click.Command("mailhaul")))
    elif isinstance(parameter, click.Argument):
        record = (
            parameter.make_metavar(click.Context(click.Command("mailhaul"))),
            getattr(parameter, "help", ""),
        )
    return None if record is None else (f"`{record[0]}`".replace("|", "\\|"), _one_line(record[1] or ""))


def _all() -> Iterator[tuple[str, click.Command]]:
    for name in COMMAND_NAMES:
        if (command := load_command(name)) is not None:
            yield name, command


def _summary(command: click.Command) -> str:
    return _one_line(inspect.cleandoc(command.help or "").split("\n\n")[0])


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")
