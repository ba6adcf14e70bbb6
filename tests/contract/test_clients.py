"""The contract of `importer.ports.api_clients.ApiClients` and of paginated lists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.domain.import_filter import ImportFilter
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, State
from importer.domain.people.api_tokens import ApiToken, TokenId, TokenScope
from importer.ports.api_clients import KeptAnswer
from importer.ports.leases import LeaseLost
from importer.ports.store import Store
from importer.ports.webhook_calls import CALLS_KEPT_FOR, CallState, WebhookCall
from providers.endpoint import Endpoint
from tests.contract.conftest import OpenStore

NOW = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = TokenId("t1")


def a_token(id_: str = "t1") -> ApiToken:
    return ApiToken(
        TokenId(id_),
        "panel \\ ü",
        f"digest of {id_}",
        frozenset({TokenScope.READ, TokenScope.WRITE}),
        NOW,
        expires_at=NOW + HOUR,
        domains=frozenset({"new.example", "example.org"}),
        webhook_url="https://panel.example/hook?a=b",
        webhook_secret=b"\x00sealed\xff",
    )


def test_a_token_is_found_unchanged_by_its_digest(store: Store) -> None:
    bare = ApiToken(TokenId("t2"), "panel", "d2", frozenset(), NOW)
    store.add_token(a_token())
    store.add_token(bare)
    assert store.token_by_digest("digest of t1") == a_token()
    assert store.token_by_digest("d2") == bare
    assert store.token_by_digest("t1") is None
    assert [*store.tokens()] == [bare, a_token()]


def test_revoking_a_token_is_permanent_and_idempotent(store: Store) -> None:
    store.add_token(a_token())
    store.add_token(a_token("t2"))
    revoked = replace(a_token(), revoked_at=NOW)
    assert store.revoke_token(ONE, NOW) == revoked
    assert store.revoke_token(ONE, NOW + HOUR) == revoked
    assert store.token_by_digest("digest of t1") == revoked
    assert store.token_by_digest("digest of t2") == a_token("t2")
    assert store.revoke_token(TokenId("none"), NOW) is None


def test_a_request_is_reserved_until_answered_and_then_returns_the_stored_answer(store: Store) -> None:
    until = NOW + HOUR
    assert store.begin_request(ONE, "k \x00", "f", NOW, until) is None
    assert store.begin_request(ONE, "k \x00", "g", NOW, until) == KeptAnswer("f")
    assert store.begin_request(TokenId("t2"), "k \x00", "g", NOW, until) is None
    store.keep_answer(ONE, "k \x00", 201, b"\x00answer", until)
    store.forget_request(ONE, "k \x00")
    assert store.begin_request(ONE, "k \x00", "g", NOW, until) == KeptAnswer("f", 201, b"\x00answer")


def test_a_forgotten_or_expired_request_may_begin_again(store: Store) -> None:
    assert store.begin_request(ONE, "k", "f", NOW, NOW + HOUR) is None
    store.forget_request(ONE, "k")
    assert store.begin_request(ONE, "k", "g", NOW, NOW + HOUR) is None
    store.keep_answer(ONE, "k", 200, b"x", NOW + 2 * HOUR)
    assert store.begin_request(ONE, "k", "h", NOW + HOUR, NOW + 3 * HOUR) == KeptAnswer("g", 200, b"x")
    assert store.begin_request(ONE, "k", "h", NOW + 2 * HOUR, NOW + 3 * HOUR) is None
    assert store.begin_request(ONE, "k", "i", NOW + 2 * HOUR, NOW + 3 * HOUR) == KeptAnswer("h")


def test_the_sweep_removes_expired_answers(store: Store) -> None:
    for key, hours in (("short", 1), ("long", 3)):
        store.begin_request(ONE, key, "f", NOW, NOW + hours * HOUR)
    store.sweep(NOW + 2 * HOUR)
    # Queried at an earlier time: swept answers are gone, the rest remain.
    assert store.begin_request(ONE, "short", "g", NOW, NOW + HOUR) is None
    assert store.begin_request(ONE, "long", "g", NOW, NOW + HOUR) == KeptAnswer("f")


def test_of_concurrent_identical_requests_one_begins(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(4)]

    def begin(number: int) -> KeptAnswer | None:
        return stores[number % 4].begin_request(ONE, "k", str(number), NOW, NOW + HOUR)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(begin, range(24)))
    assert answers.count(None) == 1


# --- Pagination -------------------------------------------------------------------------------------


def fill(store: Store) -> None:
    """Five batches of two owners with three imports each; two batches have the same creation time."""
    for number, minutes in enumerate((0, 1, 1, 2, 3)):
        batch_id, at = BatchId(f"b{number}"), NOW + timedelta(minutes=minutes)
        imports = [
            Import(
                ImportId(f"b{number}i{row}"),
                Account(
                    f"{number}{row}@old.example", f"{number}{row}@old.example", Endpoint("imap.old.example")
                ),
                Account("ada@new.example", "ada@new.example", Endpoint("imap.new.example")),
                at,
                batch_id=batch_id,
                row=row,
                state=State.COMPLETE if row == 2 else State.QUEUED,
            )
            for row in (2, 1, 2)
        ]
        imports = [replace(i, id=ImportId(f"{i.id}{n}")) for n, i in enumerate(imports)]
        owner = "client:one" if number % 2 else "client:two"
        store.add_batch(
            Batch(batch_id, at, "", "", tuple(i.id for i in imports), owner), [(i, None) for i in imports]
        )


@pytest.mark.parametrize("owner", [None, "client:one", "client:two", "client:none"])
def test_pages_of_batches_add_up_to_the_whole_list(store: Store, owner: str | None) -> None:
    fill(store)
    whole = [batch.id for batch in store.batches(50, owner=owner)]
    for size in (1, 2, 3):
        paged: list[BatchId] = []
        while page := store.batches(size, owner=owner, after=paged[-1] if paged else None):
            paged += [batch.id for batch in page]
        assert paged == whole
    assert len(whole) == {None: 5, "client:one": 2, "client:two": 3, "client:none": 0}[owner]
    assert not store.batches(50, owner=owner, after=BatchId("none"))


@pytest.mark.parametrize("owner", [None, "client:one", "client:two", "client:none"])
def test_pages_of_imports_add_up_to_the_whole_list(store: Store, owner: str | None) -> None:
    fill(store)
    for states in ((), (State.COMPLETE,)):
        whole = [import_.id for import_ in store.imports(ImportFilter(owner=owner, states=states))]
        for size in (1, 2, 4):
            paged: list[ImportId] = []
            while page := store.imports(
                ImportFilter(owner=owner, states=states), after=paged[-1] if paged else None, limit=size
            ):
                paged += [import_.id for import_ in page]
            assert paged == whole
        per_batch = 2 if states else 3
        assert len(whole) == per_batch * {None: 5, "client:one": 2, "client:two": 3, "client:none": 0}[owner]


# --- Webhook calls ------------------------------------------------------------------------------------


def a_call(key: str = "k1", minutes: int = 0) -> WebhookCall:
    return WebhookCall(key, "t1", "evt_1", '{"a": "ü \\\\ \x00"}', NOW + timedelta(minutes=minutes))


def test_a_webhook_call_is_posted_once_and_claimed_exclusively_until_the_claim_expires(
    open_store: OpenStore,
) -> None:
    store, other = open_store(), open_store()
    store.post_calls([a_call("k2", 1), a_call()])
    store.post_calls([replace(a_call(), body="another")])
    assert [*store.due_calls(NOW)] == [*store.due_calls(NOW, besides={"t2"})] == [a_call(), a_call("k2", 1)]
    assert not store.due_calls(NOW, besides={"t1", "t2"})
    assert store.claim_call("k1", NOW, NOW + HOUR)
    assert not other.claim_call("k1", NOW, NOW + HOUR)
    assert not other.claim_call("none", NOW, NOW + HOUR)
    assert [call.key for call in other.due_calls(NOW)] == ["k2"]
    assert other.claim_call("k1", NOW + HOUR, NOW + 2 * HOUR), "an expired claim can be taken over"
    assert store.calls()[0].attempts == 2


def test_a_webhook_call_is_settled_finally_or_rescheduled(store: Store) -> None:
    store.post_calls([a_call("k1"), a_call("k2", 1), a_call("k3", 2)])
    for key in ("k1", "k2", "k3"):
        store.claim_call(key, NOW, NOW + HOUR)
    store.settle_call("k1", CallState.DONE)
    store.settle_call("k2", CallState.PENDING, error="no \x00 answer", not_before=NOW + 2 * HOUR)
    store.settle_call("k3", CallState.GIVEN_UP, error="gone")
    states = [(call.state, call.error, call.not_before) for call in store.calls()]
    assert states == [
        (CallState.DONE, "", None),
        (CallState.PENDING, "no \x00 answer", NOW + 2 * HOUR),
        (CallState.GIVEN_UP, "gone", None),
    ]
    assert not store.due_calls(NOW + HOUR)
    assert [call.key for call in store.due_calls(NOW + 2 * HOUR)] == ["k2"]
    store.post_calls([a_call("k1")])
    assert len(store.calls()) == 3
    store.sweep(NOW + CALLS_KEPT_FOR)
    assert [call.key for call in store.calls()] == ["k2", "k3"]


def test_an_import_is_finished_and_its_calls_are_posted_atomically(store: Store) -> None:
    fill(store)
    import_ = store.imports()[0]
    lease = store.acquire(f"import:{import_.id}", "w", HOUR)
    assert lease is not None
    ended = replace(import_, state=State.CANCELLED)
    assert not store.finish_import(ended, (), lease, password_fingerprint="another", calls=[a_call()])
    assert not store.calls()
    assert store.finish_import(ended, (), lease, calls=[a_call()])
    assert [*store.calls()] == [a_call()]
    store.release(lease)
    with pytest.raises(LeaseLost):
        store.finish_import(ended, (), lease, calls=[a_call("k2")])
    assert len(store.calls()) == 1
