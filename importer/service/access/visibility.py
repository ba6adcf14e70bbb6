"""Read batches and imports as their owner.

Every front end that serves more than one person reads through this module: objects of other people are
treated as nonexistent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from importer.domain.import_filter import ImportFilter
from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.people.identities import PersonId
from importer.domain.reporting.batch_overview import Standing, standing_of
from importer.service.deps import Deps
from importer.service.queries import count_imports, list_imports
from providers.frozen import frozen

_ID: Final = re.compile("[a-z0-9]{1,40}")
"""The form of ids; URL parameters of any other form are not looked up."""


@frozen
class FoundImports:
    """A part of a person's imports by batch, newest first, and whether more follow it."""

    batches: Sequence[tuple[Batch, Sequence[Import]]]
    has_more: bool

    @property
    def imports(self) -> list[Import]:
        return [import_ for _, imports in self.batches for import_ in imports]


def is_id(text: str) -> bool:
    """Whether it has the form of an id."""
    return _ID.fullmatch(text) is not None


def numbers_of(deps: Deps, person: PersonId) -> Mapping[Standing, int]:
    """The number of the person's imports of each standing. Two queries."""
    everything = ImportFilter(owner=_known_person(person))
    numbers: Counter[Standing] = Counter()
    for each in count_imports(deps, everything):
        numbers[standing_of(each.state, each.problem)] += each.imports
    repeated = sum(c.imports for c in count_imports(deps, replace(everything, standing=Standing.REPEATED)))
    numbers[Standing.NEEDS_YOU] -= repeated
    numbers[Standing.REPEATED] = repeated
    return numbers


def find_imports_of(
    deps: Deps, person: PersonId, *, address: str, wanted: Standing | None, after: str, limit: int
) -> FoundImports:
    """The person's imports with that text in an address and that standing, if they are given; with `after`,
    those that follow this import. Two queries, however many imports there are."""
    owner = _known_person(person)
    last = ImportId(after) if _ID.fullmatch(after) else None
    chosen = ImportFilter(owner=owner, address=address, standing=wanted)
    found = list_imports(deps, chosen, after=last, limit=limit + 1)
    by_batch: dict[BatchId, list[Import]] = {}
    for import_ in found[:limit]:
        if import_.batch_id is not None:
            by_batch.setdefault(import_.batch_id, []).append(import_)
    batches = {b.id: b for b in deps.store.batches(len(by_batch), owner=owner, ids=[*by_batch])}
    parts = [(batches[id_], imports) for id_, imports in by_batch.items() if id_ in batches]
    return FoundImports(parts, len(found) > limit)


def batch_of(deps: Deps, person: PersonId, batch_id: BatchId) -> tuple[Batch, Sequence[Import]] | None:
    """None if there is no such batch or it belongs to another person."""
    batch = deps.store.batch(batch_id) if _ID.fullmatch(batch_id) else None
    if batch is None or batch.owner != _known_person(person):
        return None
    return batch, deps.store.imports(ImportFilter(batch_id=batch_id), limit=len(batch.imports))


def import_of(deps: Deps, person: PersonId, import_id: ImportId) -> Import | None:
    """None if there is no such import or it belongs to another person."""
    import_ = deps.store.import_(import_id) if _ID.fullmatch(import_id) else None
    if import_ is None or import_.batch_id is None:
        return None
    return import_ if batch_of(deps, person, import_.batch_id) else None


def _known_person(person: PersonId) -> str:
    """Reject the empty id: batches of the console have no owner and must not be visible to front-end
    users."""
    if not person:
        raise ValueError("a person id must not be empty")
    return person
