"""Texts in the reader's language. Only this module turns codes into sentences.

Parameters are foreign text: each becomes one printable line. Page templates escape the result; mails break
its links (`formatting.unlinked`).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final

from importer.codes.code_lookup import lineage
from importer.domain.import_options import OPTION_RULE, OPTIONS
from importer.domain.reporting.formatting import Translator, printable
from providers.catalog import Catalog
from providers.errors import Side
from providers.text import PRODUCT_NAME, ByteSize, Param, Text, TextRow

MAX_PARAM_CHARS: Final = 400
HOST_STEPS: Final = "host_steps"
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")


def render(text: Text, say: Translator, side: Side | None = None) -> str:
    """The event or problem, in one or more sentences. `side` is the mailbox that it concerns."""
    if text.code == HOST_STEPS:
        return _host_steps(text, say)
    if text.code == OPTION_RULE:
        option = OPTIONS.get(str(text.params.get("option")))
        return say.gettext(option.rule) if option else text.code
    for row in lineage(text.code):
        if sentence := _sentence(row, side):
            return _filled(sentence, text, say)
    return text.code


def advice(text: Text, say: Translator, side: Side | None = None) -> str:
    """The advice for the reader; "" for none."""
    if text.steps is not None:
        return render(text.steps, say, side)
    template = next(filter(None, (_advice(row, side) for row in lineage(text.code))), "")
    return _filled(template, text, say)


def render_with_advice(text: Text, say: Translator, side: Side | None = None) -> str:
    """The sentence followed by the advice."""
    return " ".join(filter(None, (render(text, say, side), advice(text, say, side))))


def _host_steps(text: Text, say: Translator) -> str:
    """The steps of a mailbox's owner before a login, from the catalog of mail hosts."""
    hosts = (host for host in Catalog.load() if host.id == text.params.get("provider"))
    return say.typeset(next((host.login_help_in(say.language) for host in hosts), ""))


def _sentence(row: TextRow, side: Side | None) -> str | tuple[str, str]:
    return (side is Side.DESTINATION and row.sentence_at_destination) or row.sentence


def _advice(row: TextRow, side: Side | None) -> str:
    return (side is Side.DESTINATION and row.advice_at_destination) or row.advice


def _filled(template: str | tuple[str, str], text: Text, say: Translator) -> str:
    """`template` in the language of `say`, with the parameters; "…" replaces parameters that a stored text
    lacks. All are filled in at once: what looks like a placeholder in a parameter or in a brand stays."""
    params = text.params
    forms = template if isinstance(template, tuple) else (template,)
    names = {name: f"%({name})s" for form in forms for name in _PLACEHOLDER.findall(form)}
    if isinstance(template, tuple):
        number = params.get("number")
        names.pop("num", None)
        translated = say.ngettext(*template, number if isinstance(number, int) else 0, **names)
    else:
        translated = say.gettext(template, **names)

    def value_of(place: re.Match[str]) -> str:
        if place[0] == PRODUCT_NAME:
            return say.product
        return _spoken(params[place[1]], say) if place[1] in params else "…"

    return _PLACEHOLDER.sub(value_of, translated)


def _spoken(value: Param, say: Translator) -> str:  # noqa: PLR0911 - one for each type
    match value:
        case str():
            return printable(value, MAX_PARAM_CHARS)
        case int():
            return say.number(value)
        case datetime():
            return say.instant(value)
        case date():
            return say.day(value)
        case timedelta():
            return say.span(value)
        case ByteSize(size_bytes):
            return say.size(size_bytes)
    return render(value, say)
