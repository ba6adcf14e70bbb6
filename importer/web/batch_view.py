"""View models of a batch: rows in order, sums, overall progress, and the available actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from importer.domain.model import Import, ImportId, State
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.batch_overview import (
    Standing,
    WholeProgress,
    in_order,
    matches,
    standing,
    whole_progress,
)
from importer.domain.reporting.report import Report
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.translations import CatalogTranslator
from importer.service.access.owner_reminders import AwaitedOwner
from importer.web.live_progress import Snapshot
from importer.web.view_models import ImportView

MAX_SEARCH_CHARS: Final = 200

_TWO_LINES_CHARS: Final = 80
"""Characters that fit on two lines of the column at 1280 px beside a button with a long name."""

_TONES: Final = {
    Standing.NEEDS_YOU: "bad",
    Standing.RUNNING: "busy",
    Standing.OWNER: "wait",
    Standing.WAITING: "calm",
    Standing.PAUSED: "wait",
    Standing.COMPLETE: "good",
    Standing.REPEATED: "calm",
    Standing.CANCELLED: "calm",
    Standing.UNDONE: "calm",
}
_ALWAYS_COUNTED: Final = (Standing.COMPLETE, Standing.RUNNING, Standing.OWNER, Standing.NEEDS_YOU)


@dataclass(frozen=True, slots=True)
class RowFilter:
    """The reader's search: words of an address, and a standing; "" and None match all."""

    words: str = ""
    standing: Standing | None = None

    @classmethod
    def of(cls, words: str, state: str) -> RowFilter:
        """From the query parameters; an unknown state matches all."""
        known = state in list(Standing)
        return cls(words.strip()[:MAX_SEARCH_CHARS], Standing(state) if known else None)

    @property
    def is_set(self) -> bool:
        return bool(self.words) or self.standing is not None

    def query(self, wanted: Standing | None = None) -> str:
        """The query string with these words and that standing; "" if both are empty."""
        given = {"q": self.words, "state": wanted.value if wanted else ""}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"?{query}" if query else ""

    @property
    def own_query(self) -> str:
        return self.query(self.standing)

    def query_after(self, after: str, **more: str) -> str:
        """The query string of the part of the list that follows that import, with `more` parameters."""
        added = urlencode({**({"after": after} if after else {}), **more})
        return f"{self.own_query}{'&' if self.own_query else '?'}{added}" if added else self.own_query

    def selects(self, import_: Import) -> bool:
        return matches(import_, self.words, self.standing)


@dataclass(frozen=True, slots=True)
class Sum:
    """The number of imports of one standing, and the query string that selects them."""

    standing: Standing
    title: str
    tone: str
    number: int
    query: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ListedRow:
    """One import in a list. `why` is its sentence, "" for none; `owners` are those it waits for."""

    one: ImportView
    standing: Standing
    why: str
    owners: tuple[AwaitedOwner, ...] = ()

    @property
    def shows_amount(self) -> bool:
        """Whether the number of messages adds information to the sentence."""
        if self.standing is Standing.OWNER or self.one.import_.state is State.QUEUED:
            return False
        return not self.why or self.one.import_.progress.messages_done > 0

    @property
    def is_long(self) -> bool:
        """Whether the sentence may need more than the two lines that a row has."""
        return len(self.why) > _TWO_LINES_CHARS


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one standing."""

    standing: Standing
    title: str
    rows: tuple[ListedRow, ...]


@dataclass(frozen=True, slots=True)
class BatchControls:
    """The imports that can be paused, resumed and cancelled now, in the order of their rows."""

    pause: tuple[ImportId, ...]
    resume: tuple[ImportId, ...]
    cancel: tuple[ImportId, ...]


def sums(texts: CatalogTranslator, numbers: Mapping[Standing, int], chosen: RowFilter) -> tuple[Sum, ...]:
    """The sums, without those that are 0 and not always of interest."""
    shown = (*_ALWAYS_COUNTED, *(each for each in Standing if each not in _ALWAYS_COUNTED))
    return tuple(
        Sum(
            each,
            _title(texts, each, numbers.get(each, 0)),
            _TONES[each],
            numbers.get(each, 0),
            chosen.query(None if chosen.standing is each else each),
            chosen.standing is each,
        )
        for each in shown
        if each in _ALWAYS_COUNTED or numbers.get(each) or chosen.standing is each
    )


def sections(
    texts: CatalogTranslator,
    views: Sequence[ImportView],
    owners: Mapping[ImportId, tuple[AwaitedOwner, ...]],
    tallies: Mapping[ImportId, Sequence[FolderTally]],
) -> tuple[Section, ...]:
    """The rows by standing, those that need a person first."""
    by_id = {view.import_.id: view for view in views}
    grouped: dict[Standing, list[ListedRow]] = {}
    for import_ in in_order(view.import_ for view in views):
        row = row_of(texts, by_id[import_.id], owners.get(import_.id, ()), tallies.get(import_.id, ()))
        grouped.setdefault(row.standing, []).append(row)
    return tuple(Section(each, _title(texts, each, len(rows)), tuple(rows)) for each, rows in grouped.items())


def row_of(
    texts: CatalogTranslator,
    view: ImportView,
    owners: tuple[AwaitedOwner, ...] = (),
    tallies: Sequence[FolderTally] = (),
) -> ListedRow:
    """The row of one import. `tallies` describe the gaps of an import that ended incomplete."""
    import_ = view.import_
    which = standing(import_)
    why = view.sentence
    if import_.state is State.INCOMPLETE and tallies:
        why = outcome_text(texts, Report(import_, tuple(tallies)).outcome)
    elif which is Standing.PAUSED and import_.requested is None:
        why = ""  # it would repeat the same text in each row
    elif owners:
        why = ""  # the lines about the owners say more
    return ListedRow(view, which, why, owners)


def _title(  # noqa: PLR0911 - one for each standing
    texts: CatalogTranslator, which: Standing, number: int
) -> str:
    """The name of a standing beside the number of its imports."""
    match which:
        case Standing.NEEDS_YOU:
            return texts.ngettext("Needs you", "Need you", number)
        case Standing.RUNNING:
            return texts.ngettext("Running", "Running", number)
        case Standing.OWNER:
            return texts.ngettext("Waiting for its owner", "Waiting for their owners", number)
        case Standing.WAITING:
            return texts.ngettext("Waiting to go on", "Waiting to go on", number)
        case Standing.PAUSED:
            return texts.gettext("Paused")
        case Standing.COMPLETE:
            return texts.ngettext("Completed", "Completed", number)
        case Standing.REPEATED:
            return texts.ngettext("Run again", "Run again", number)
        case Standing.CANCELLED:
            return texts.ngettext("Cancelled import", "Cancelled imports", number)
        case Standing.UNDONE:
            return texts.ngettext("Undone import", "Undone imports", number)


def progress_of(snapshots: Iterable[Snapshot]) -> WholeProgress:
    """The overall progress of all imports."""
    known = list(snapshots)
    speeds = {s.import_.id: s.rate.messages_per_s for s in known if s.import_.state is State.RUNNING}
    return whole_progress([s.import_ for s in known], speeds)


def controls_of(views: Iterable[ImportView]) -> BatchControls:
    """The actions that are possible for the imports of a batch now."""
    known = list(views)
    return BatchControls(
        tuple(v.import_.id for v in known if v.can_pause),
        tuple(v.import_.id for v in known if v.import_.state is State.PAUSED and v.can_resume),
        tuple(v.import_.id for v in known if v.can_cancel),
    )
