"""The conditions of the operators' list of imports, as in the addresses of its pages."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlencode

from fastapi import Depends, Query

from importer.domain.import_filter import CONSOLE, ImportFilter, age_of
from importer.domain.model import BatchId, State
from importer.i18n.translations import CatalogTranslator

MAX_CHARS: Final = 320

_Text: TypeAlias = Annotated[str, Query(max_length=MAX_CHARS)]


@dataclass(frozen=True, slots=True)
class OperatorFilter:
    """The conditions as typed; the names are those of the API's parameters and the console's options. An
    empty condition matches all imports."""

    search: _Text = ""
    state: _Text = ""
    address: _Text = ""
    owner: _Text = ""
    batch: _Text = ""
    host: _Text = ""
    domain: _Text = ""
    reason: _Text = ""
    older: _Text = ""
    newer: _Text = ""

    @property
    def given(self) -> dict[str, str]:
        """The conditions that are not empty, by name."""
        values = {each.name: getattr(self, each.name).strip() for each in fields(self)}
        return {name: value for name, value in values.items() if value}

    @property
    def has_more(self) -> bool:
        """Whether there are conditions other than words and a state."""
        return bool(self.given.keys() - {"search", "state"})

    @property
    def wrong(self) -> frozenset[str]:
        """The names of conditions whose state or age is invalid: they match no import."""
        given = self.given
        wrong: set[str] = {name for name in ("older", "newer") if name in given and not _is_age(given[name])}
        if given.get("state", State.QUEUED) not in list(State):
            wrong.add("state")
        return frozenset(wrong)

    def query(self, **changed: str) -> str:
        """The query string with these conditions and the `changed` ones; "" if all are empty."""
        values = {name: value for name, value in (self.given | changed).items() if value}
        return f"?{urlencode(values)}" if values else ""

    def chosen(self, now: datetime, texts: CatalogTranslator) -> ImportFilter:
        """The filter. As the owner, the pages' name for the console is accepted, too. Raises
        ValueError if a condition is `wrong`."""
        given = self.given
        owner = given.get("owner", "")
        by_console = owner.casefold() == texts.gettext("console").casefold()
        older, newer = (given.get(name) for name in ("older", "newer"))
        return ImportFilter(
            states=(State(given["state"]),) if "state" in given else (),
            batch_id=BatchId(given["batch"]) if "batch" in given else None,
            address=given.get("address", ""),
            submitted_by=CONSOLE if by_console else owner,
            host=given.get("host", ""),
            domain=given.get("domain", ""),
            reason=given.get("reason", ""),
            words=given.get("search", ""),
            created_before=None if older is None else now - age_of(older),
            created_after=None if newer is None else now - age_of(newer),
        )


Wanted: TypeAlias = Annotated[OperatorFilter, Depends()]


def _is_age(text: str) -> bool:
    try:
        age_of(text)
    except ValueError:
        return False
    return True
