"""Verify an import: read both mailboxes again and compare them, also weeks later."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from importer.compact.digest_set import each_digest
from importer.compact.uid_set import UidSet
from importer.domain.folder_mapping.folder_order import folder_order
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Import, State
from importer.domain.receipts.folder_tally import RefusalCode
from importer.domain.receipts.receipt import NEVER_SEEN, Outcome
from importer.domain.reporting.verification import Compared, ComparedAs, Verification
from importer.engine.verify_mailbox import MailboxComparison
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderLeftOut, FolderUnusable
from importer.ports.work_limit import WorkEnded
from importer.service.access.sealed_grants import Credentials
from importer.service.deps import Deps
from importer.service.legs.connections import label_view
from importer.service.legs.host_limits import PostponedByHost
from importer.service.legs.host_work import LeaseHeld, host_work
from providers.errors import Side
from providers.frozen import frozen
from providers.text import Text

_ABOUT_FOLDERS: Final = (RefusalCode.FOLDER_UNUSABLE, RefusalCode.UNLISTED)


class VerifyRefused(Exception):
    """The import cannot be verified now; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


@frozen
class _Pair:
    """A source folder, what it lists, and its destination folder; "" if the import never opened it."""

    source: FolderRef
    listed: UidSet
    destination: str


def verify(
    deps: Deps,
    import_: Import,
    credentials: Credentials,
    *,
    sample: int | None = None,
    on_folder: Callable[[str], None] = lambda _folder: None,
) -> Verification:
    """Compare the mailboxes: `sample` messages chosen at random, or all of them. Changes nothing on either
    side. Raises VerifyRefused, and any MailError of scope session or account."""
    if not (deps.store.folder_map(import_.route) or _refused_folders(deps, import_)):
        raise VerifyRefused(Text("verify_not_begun"))
    labels = label_view(deps.store, import_.route, import_.options)
    # Both sides are opened as sources are: such a session has no method that writes.
    open_source = partial(deps.sessions.open_source, import_.source, credentials.source, labels)
    open_other = partial(deps.sessions.open_source, import_.destination, credentials.destination, None)
    try:
        with host_work(deps, import_, f"verify:{import_.id}") as work:
            source = work.open(Side.SOURCE, open_source)
            destination = work.open(Side.DESTINATION, open_other)
            return _verified(deps, import_, source, destination, sample, on_folder)
    except LeaseHeld:
        raise VerifyRefused(Text("verify_busy")) from None
    except PostponedByHost as postponed:
        raise VerifyRefused(postponed.problem.text) from None
    except WorkEnded:
        raise VerifyRefused(Text("verify_interrupted")) from None


def _verified(
    deps: Deps,
    import_: Import,
    source: MailboxReader,
    destination: MailboxReader,
    sample: int | None,
    on_folder: Callable[[str], None],
) -> Verification:
    result = Verification()
    pairs = _pairs(deps, import_, source, result)
    result.listed = sum(len(pair.listed) for pair in pairs)
    comparison = MailboxComparison(source, destination, deps.clock.now())
    for pair, uids in zip(pairs, chosen([pair.listed for pair in pairs], sample), strict=True):
        if not uids:
            continue
        on_folder(pair.source.name)
        duplicates = _duplicates(deps, import_, pair)
        for one in comparison.compare(pair.source, uids, pair.destination, duplicates):
            result.add(one)
        result.compared += len(uids)
        missing = comparison.missing
        result.source_gone += _add_missing(deps, import_, pair, missing, comparison, result)
    return result


def _pairs(deps: Deps, import_: Import, source: MailboxReader, result: Verification) -> list[_Pair]:
    pairs: list[_Pair] = []
    folders = deps.store.folder_map(import_.route)
    shown = {folder.name for folder in source.folders()}
    for name in sorted({*folders, *_refused_folders(deps, import_)}, key=folder_order):
        try:
            ref = source.status(name).ref(name)
            pairs.append(_Pair(ref, source.uids(ref), folders.get(name, "")))
        except FolderLeftOut:
            continue
        except FolderUnusable:
            result.unread_folders += name in shown  # else it was removed: nothing to compare
    return pairs


def _refused_folders(deps: Deps, import_: Import) -> frozenset[str]:
    """The source folders of which it is not known which messages failed."""
    return frozenset(
        refusal.folder
        for refusal in deps.store.refusals(import_.id)
        if refusal.uid is None and refusal.code in _ABOUT_FOLDERS
    )


def _duplicates(deps: Deps, import_: Import, pair: _Pair) -> UidSet:
    """The source UIDs of the folder that another message with the same content was copied for."""
    return UidSet.of(
        uid
        for receipt in deps.store.receipts(import_.route, pair.destination)
        if receipt.outcome is Outcome.DUPLICATE and receipt.source == pair.source
        for uid in receipt.source_uids
    )


def chosen(listed: Sequence[UidSet], sample: int | None) -> list[UidSet]:
    """The messages to compare, by folder: all, or `sample` of all folders together, each as likely."""
    total = sum(map(len, listed))
    if sample is None or sample >= total:
        return list(listed)
    places = UidSet.of(secrets.SystemRandom().sample(range(1, total + 1), sample))
    picked: list[UidSet] = []
    before = 0
    for uids in listed:
        here = [place - before for place in places.at_or_above(before + 1) if place <= before + len(uids)]
        wanted = set(here)
        picked.append(UidSet.of(uid for at, uid in enumerate(uids, 1) if at in wanted) if here else UidSet())
        before += len(uids)
    return picked


def _add_missing(
    deps: Deps,
    import_: Import,
    pair: _Pair,
    missing: UidSet,
    comparison: MailboxComparison,
    result: Verification,
) -> int:
    """Add where the missing messages are, or what the ledger records of them. Returns how many messages of
    the folder were copied and are no longer in the old mailbox."""
    elsewhere = comparison.find_elsewhere(pair.source, missing, pair.destination) if missing else {}
    digests = comparison.digests if missing else {}
    recorded = _recorded(deps, import_, pair, frozenset(digests.values()))
    failed = {
        refusal.uid
        for refusal in (deps.store.refusals(import_.id) if missing else ())
        if (refusal.folder, refusal.uidvalidity) == (pair.source.name, pair.source.uidvalidity)
    }
    whole = bool(missing) and pair.source.name in _refused_folders(deps, import_)
    ended = import_.state in (State.COMPLETE, State.INCOMPLETE)
    for uid in missing:
        place = elsewhere.get(uid)
        if place is not None:
            result.add(Compared(ComparedAs.MOVED, pair.source.name, uid, *place))
            continue
        if uid in failed and (uid in recorded.unseen or uid not in recorded.there):
            finding = ComparedAs.FAILED
        elif uid in recorded.there or digests.get(uid) in recorded.former:
            finding = ComparedAs.REMOVED
        elif uid in recorded.left_out:
            finding = ComparedAs.LEFT_OUT
        elif whole:
            finding = ComparedAs.FAILED
        else:
            finding = ComparedAs.NEW if ended else ComparedAs.NOT_COPIED
        result.add(Compared(finding, pair.source.name, uid, pair.destination))
    return len(recorded.there - pair.listed)


@frozen
class _Recorded:
    """Source UIDs of a folder that had a copy at the destination, those of them that no recount has seen, and
    those that were left out. `former` are digests of messages that the folder had under other UIDs. This
    explains missing messages; it proves none to be there."""

    there: UidSet
    unseen: UidSet
    left_out: UidSet
    former: frozenset[bytes]


def _recorded(deps: Deps, import_: Import, pair: _Pair, wanted: frozenset[bytes]) -> _Recorded:
    there, unseen, left_out = UidSet(), UidSet(), UidSet()
    former: set[bytes] = set()
    for receipt in deps.store.receipts(import_.route, pair.destination):
        if receipt.source != pair.source:
            if wanted and receipt.source.name == pair.source.name:
                former.update(wanted.intersection(each_digest(receipt.digests)))
            continue
        uids = UidSet.of(receipt.source_uids)
        if receipt.outcome is Outcome.SKIPPED:
            left_out |= uids
        else:
            there |= uids
            unseen = unseen | uids if receipt.reason in NEVER_SEEN else unseen
    for tally in deps.store.tallies(import_.id):
        if tally.source_folder == pair.source.name and tally.listing is not None:
            left_out |= tally.listing.left_out
    return _Recorded(there, unseen, left_out, frozenset(former))
