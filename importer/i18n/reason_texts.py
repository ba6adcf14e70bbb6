"""Why messages and folders were left out or refused, in the reader's language.

The ledger keeps reasons as English sentences, ours among those of servers: ours are known here by their form.
"""

from __future__ import annotations

import re
from typing import Final

from importer.domain.reporting.formatting import printable
from importer.i18n.translations import N_, CatalogTranslator

_OURS: Final = (
    N_("removed from the old mailbox while it was being copied"),
    N_("the old server lists it but does not hand it out"),
    N_("completion mail of an earlier import"),
    N_("calendars, contacts, notes and the like are no mail"),
    N_("larger than the new mailbox takes (%(size)s)"),
    N_("The folder “%(folder)s” could not be created at the new mailbox."),
    N_("The folder “%(folder)s” at the new mailbox can only be read."),
    N_("The folder “%(folder)s” cannot be opened on %(host)s."),
    N_("The folder “%(folder)s” cannot be created on %(host)s."),
    N_(
        "%(host)s shows at most %(number)s messages of a folder, and just as many of this one: older ones may"
        " be missing."
    ),
)


def reason(texts: CatalogTranslator, said: str) -> str:
    """What is not ours (a server's words) stays as it was said. May quote foreign text."""
    for message, form in _FORMS:
        if found := form.fullmatch(said):
            return (
                texts.gettext(message, **found.groupdict()) if found.groupdict() else texts.gettext(message)
            )
    return printable(said, 400)


def _form(message: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%\\\((\w+)\\\)s|%\((\w+)\)s", _group, re.escape(message)), re.DOTALL)


def _group(blank: re.Match[str]) -> str:
    return f"(?P<{blank[1] or blank[2]}>.{{1,1000}}?)"


_FORMS: Final = tuple((message, _form(message)) for message in _OURS)
