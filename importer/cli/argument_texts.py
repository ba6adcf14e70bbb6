"""Errors of arguments and of the files that they name, in the reader's language."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final

import click

from importer.cli.console_language import shell_language
from importer.domain.csv_import.csv_cells import Refused
from importer.i18n.translations import LANGUAGES, N_, CatalogTranslator, chosen, texts

_REASONS: Final = {
    errno.ENOENT: N_("there is no such file or directory"),
    errno.EACCES: N_("access is denied"),
    errno.EEXIST: N_("it exists already"),
    errno.EISDIR: N_("it is a directory"),
    errno.ENOTDIR: N_("a part of its path is no directory"),
    errno.ENOSPC: N_("the disk is full"),
}
"""The common errors of files; the operating system describes them in English."""


def system_reason(words: CatalogTranslator, error: OSError) -> str:
    """Why a file cannot be used."""
    reason = _REASONS.get(error.errno or 0)
    return words.gettext(reason) if reason else error.strerror or str(error)


def refused_argument(refused: Refused) -> str:
    """The problem of an argument's value, and the fix."""
    from importer.i18n.row_problem_texts import refused_text  # noqa: PLC0415 - most arguments are right

    return refused_text(argument_texts(), refused)


def argument_texts() -> CatalogTranslator:
    """The texts for errors about arguments, which occur before the settings are read."""
    return texts(argument_language())


def argument_language() -> str:
    """The language of `--language`, else of MAILHAUL_LANGUAGE, else of the shell, with its region."""
    context = click.get_current_context(silent=True)
    given = context.params.get("language") if context is not None else None
    named = (given, _typed_language(sys.argv), os.environ.get("MAILHAUL_LANGUAGE", ""), shell_language())
    return chosen(next((tag for tag in named if tag and tag.partition("-")[0] in LANGUAGES), ""), "")


def _typed_language(arguments: Sequence[str]) -> str:
    """The value of `--language`, even after an invalid argument; "" if it is not given."""
    for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        if word == "--language":
            return following
        if word.startswith("--language="):
            return word.partition("=")[2]
    return ""


def about(option: str, problem: str) -> str:
    """The problem of an option, after its name."""
    return f"{option}{argument_texts().colon} {problem}"


def exclusive(words: CatalogTranslator, one: str, other: str) -> str:
    """For two options that exclude each other."""
    return words.gettext("%(one)s and %(other)s exclude each other; give one.", one=one, other=other)


def not_read(words: CatalogTranslator, file: Path, error: OSError | UnicodeDecodeError) -> str:
    """For a file that cannot be read, with the reason of the operating system."""
    if isinstance(error, OSError):
        return words.gettext(
            "%(file)s cannot be read: %(reason)s.", file=file, reason=system_reason(words, error)
        )
    return words.gettext("%(file)s cannot be read: it is not UTF-8 text.", file=file)


def not_written(words: CatalogTranslator, file: Path, error: OSError) -> str:
    """For a file that cannot be written, with the reason of the operating system."""
    return words.gettext(
        "%(file)s cannot be written: %(reason)s.", file=file, reason=system_reason(words, error)
    )
