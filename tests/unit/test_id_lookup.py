"""Imports and batches are found by the beginning of their ids, and never across owners."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from importer.domain.model import Account, Batch, BatchId, Import, ImportId
from importer.service.deps import Deps
from importer.service.id_lookup import (
    Ambiguous,
    batch_beginning,
    import_beginning,
    import_or_batch_beginning,
)
from providers.endpoint import Endpoint
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
def deps() -> Deps:
    """Three imports of the console in one batch, and one of another owner in another."""
    store = MemoryStore()
    for batch_id, owner, ids in (("kestrel", "", ("kea1", "kea22", "kea2")), ("kite", "client:x", ("kiwi",))):
        batch = Batch(BatchId(batch_id), NOW, imports=tuple(map(ImportId, ids)), owner=owner)
        mailbox = Account("ada@old.example", "ada", Endpoint("imap.old.example", 993))
        imports = [Import(ImportId(id_), mailbox, mailbox, NOW, batch.id) for id_ in ids]
        store.add_batch(batch, [(import_, None) for import_ in imports])
    return cast("Deps", SimpleNamespace(store=store))


def id_of(found: Any) -> str | None:
    return None if found is None else found.id


def test_a_unique_beginning_is_enough(deps: Deps) -> None:
    assert id_of(import_beginning(deps, "kea1")) == "kea1"
    assert id_of(import_beginning(deps, "ki")) == "kiwi"
    assert id_of(batch_beginning(deps, "kes")) == "kestrel"
    assert id_of(import_or_batch_beginning(deps, "kit")) == "kite"
    assert id_of(import_or_batch_beginning(deps, "kiw")) == "kiwi"


def test_a_whole_id_is_never_ambiguous(deps: Deps) -> None:
    assert id_of(import_beginning(deps, "kea2")) == "kea2"
    assert id_of(import_or_batch_beginning(deps, "kea2")) == "kea2"


@pytest.mark.parametrize("beginning", ["", "owl", "KEA1", "kea_", "kea%", "../kea", "k" * 41])
def test_what_begins_no_id_finds_nothing(deps: Deps, beginning: str) -> None:
    assert import_or_batch_beginning(deps, beginning) is None
    assert import_beginning(deps, beginning) is None


def test_of_several_the_candidates_are_named(deps: Deps) -> None:
    with pytest.raises(Ambiguous) as several:
        import_beginning(deps, "kea")
    assert set(several.value.ids) == {"kea1", "kea2", "kea22"}
    with pytest.raises(Ambiguous) as mixed:
        import_or_batch_beginning(deps, "ki")
    assert set(mixed.value.ids) == {"kite", "kiwi"}


def test_what_belongs_to_others_does_not_exist(deps: Deps) -> None:
    assert import_or_batch_beginning(deps, "kiwi", owner="") is None
    assert id_of(import_or_batch_beginning(deps, "ke", owner="client:x")) is None
    assert id_of(import_or_batch_beginning(deps, "k", owner="client:y")) is None
    assert id_of(import_beginning(deps, "k", owner="client:x")) == "kiwi"
