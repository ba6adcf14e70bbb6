"""The language of a command's output: that of `--language` or MAILHAUL_LANGUAGE, else that of the shell.

Output that programs or logs take does not depend on the shell: JSON, and what a service says without a
terminal. Neither do mails and stored values, which take their language from the settings.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Final

import click

from importer.i18n.translations import LANGUAGES, CatalogTranslator, tag_of, texts
from importer.settings import Settings

_SERVICES: Final = frozenset({"up", "web", "worker"})
_LOCALE_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_UNTRANSLATED: Final = ("", "C", "POSIX")


def console_texts(settings: Settings) -> CatalogTranslator:
    """The texts of a command with these settings."""
    tag = "" if settings.is_given("language") else shell_language()
    return texts(tag or settings.language, settings.time_zone)


def shell_language() -> str:
    """The tag of the language in which the shell wants the output of this command; "" if it names none of
    LANGUAGES, or if the output is not for a person."""
    return "" if _is_for_programs() else language_of(os.environ)


def language_of(environment: Mapping[str, str]) -> str:
    """The tag of the language that programs with gettext use in an environment; "" for none of LANGUAGES.

    LC_ALL, LC_MESSAGES or LANG, in this order, is the locale; C and POSIX have no translations. LANGUAGE
    lists languages in order of preference, and those that are unknown are skipped (GNU gettext manual 0.22,
    "Locale Environment Variables" and "The LANGUAGE variable").
    """
    locale = next(filter(None, map(environment.get, _LOCALE_VARIABLES)), "")
    own_language, own_region = _language_and_region(locale)
    if own_language in _UNTRANSLATED:
        return ""
    for name in (environment.get("LANGUAGE") or locale).split(":"):
        language, region = _language_and_region(name)
        if language in ("C", "POSIX"):
            break
        if language in LANGUAGES:
            return tag_of(language, region or (own_region if language == own_language else ""))
    return ""


def _language_and_region(locale: str) -> tuple[str, str]:
    """Of `de_CH.UTF-8@euro`, `de` and `CH`."""
    language, _, region = re.split(r"[.@]", locale, maxsplit=1)[0].partition("_")
    return language, region


def _is_for_programs() -> bool:
    context = click.get_current_context(silent=True)
    if "--json" in sys.argv or (context is not None and context.params.get("as_json")):
        return True
    return not _SERVICES.isdisjoint(sys.argv[1:2]) and not sys.stderr.isatty()
