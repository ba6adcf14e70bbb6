"""Prepares one pair of folders for a pass: settles doubtful appends, rebuilds the history from the ledger,
lists the source and queues the messages to copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Final

from importer.compact.uid_set import Ascending, Uid, UidSet, UidValidity
from importer.concurrency import run_both
from importer.domain.mailbox_content import FolderRef, FolderStatus
from importer.domain.messages.message_identity import has_identifying_field, header_key, munged
from importer.domain.messages.skip_reason import NOT_RETRIED
from importer.domain.planning.message_batches import MessageBatch
from importer.domain.planning.retry_policy import decisive
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.receipts.receipt import ANY_UIDVALIDITY, Outcome, Receipt
from importer.engine.copy_target import Target
from importer.engine.doubts import SAMPLE
from importer.engine.existing_mail import ExistingMail
from importer.engine.folder_copy import DestinationFolder, FirstLook, FolderCopy, Prepared, Unprepared
from importer.engine.left_out import LeftOutMessages, older_messages
from importer.engine.leg_context import Lane
from importer.engine.renumbered_source import means_another
from importer.engine.replaced_mailbox import numbering
from importer.engine.settle import settle
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from providers.errors import Side
from providers.text import Text

LOOKED_AT_ONCE: Final = 16
"""Small pairs that are looked at together, whose lists are in memory until their turn comes."""


def may_look_first(phase: Unprepared) -> bool:
    """Whether the pair can be looked at together with others before its first pass (`look_first`)."""
    folder = phase.folder
    leg, status = folder.leg, folder.status
    first = not (folder.passes or leg.import_.attempts or folder.is_left_out or status.contents)
    return first and folder.look is None and 0 < status.messages <= leg.limits.batch_messages


def look_first(phases: Sequence[Unprepared], lane: Lane) -> None:
    """Ask both sides about small pairs, in one round trip each. `prepare` asks
    for anything that a server did not answer. Raises the errors of the sessions."""
    folders = [phase.folder for phase in phases]
    names = list(dict.fromkeys(folder.destination for folder in folders))
    opened, sizes = run_both(
        lambda: lane.destination.open_each_for_appending(names),
        lambda: lane.source.sizes_of([folder.source for folder in folders]),
        decisive,
        lane.beside,
    )
    limit_bytes = lane.destination.append_limit_bytes()
    for folder in folders:
        found = opened.get(folder.destination)
        new = found is not None and not found[0].messages and found[0].uidnext <= 1
        destination = DestinationFolder(*found) if found is not None and new else None
        folder.look = FirstLook(sizes.get(folder.source), destination, limit_bytes)


def prepare(phase: Unprepared, lane: Lane) -> Prepared:
    """Settle doubtful appends and queue the messages to copy. An unusable folder is reported by `finish`, not
    here. Raises what the sessions and the ledger raise otherwise."""
    folder = phase.folder
    try:
        _Preparation(folder, lane).run()
    except (FolderUnusable, FolderChanged) as error:
        folder.state.trouble(error)
    return Prepared(folder)


class _Preparation:
    def __init__(self, folder: FolderCopy, lane: Lane) -> None:
        self._folder = folder
        self._lane = lane
        self._look, folder.look = folder.look, None

    def run(self) -> None:
        folder, lane, look = self._folder, self._lane, self._look
        folder.passes += 1
        self._start_pass()
        was_open = settle(folder.leg, lane, folder.destination)
        folder.state.drop_claims()
        folder.limit_bytes = look.limit_bytes if look else lane.destination.append_limit_bytes()
        receipts = folder.receipts()
        first = next(receipts, None)
        new = look.destination if look and first is None and not was_open else None
        destination, batches_of_all = run_both(
            lambda: self._open_destination() if new is None else new,
            lambda: self._list_source(uncopied=first is None),
            decisive,
            lane.beside,
        )
        if destination is not None and self._follow_first_message(destination.status):
            receipts = folder.receipts()
        elif first is not None:
            receipts = chain((first,), receipts)
        self._load_history(destination, receipts)
        if isinstance(batches_of_all, FolderUnusable):
            raise batches_of_all
        self._forget_old_numbers(destination)
        pending = self._chosen(folder.history.todo(folder.listed))
        folder.state.count(folder.history, folder.tally_of_history(), len(pending))
        believed, in_doubt, batched, alone = folder.state.sort_doubts(pending)
        if believed:
            folder.state.record([], believed)
        if not pending:
            return
        self._open_target(destination or self._recreate())
        # The batches of all messages serve only if none of them is settled or refused already.
        if batches_of_all and pending == folder.listed and not (in_doubt or believed):
            folder.state.queue(batches_of_all)
            return
        folder.state.queue(self._batches_of(pending - in_doubt - folder.history.refused))
        folder.state.queue(self._batches_of(batched))
        folder.state.queue(replace(batch, apart=True) for batch in self._batches_of(alone, max_messages=1))

    def _chosen(self, pending: UidSet) -> UidSet:
        """The rest of `pending` without what the import leaves out by choice."""
        folder = self._folder
        retries, labels = folder.leg.retries, bool(folder.status.contents)
        if folder.is_left_out:
            folder.left_out = replace(folder.left_out, uids=pending)
        elif (
            retries is not None
            and (chosen := retries.chosen(folder.source, pending, labels=labels)) != pending
        ):
            folder.left_out = LeftOutMessages(NOT_RETRIED, pending - chosen)
        else:
            since, now = folder.leg.import_.options.since, folder.leg.clock.now()
            folder.left_out = older_messages(self._lane.source, folder.source, pending, since, now)
        return pending - folder.left_out.uids

    def _start_pass(self) -> None:
        """Replace a connection if the last pass asks for it, and go on with the source folder as it is now.
        The destination folder is opened anew in any case."""
        folder, lane = self._folder, self._lane
        renew, changed = folder.state.begin_pass()
        if renew is Side.SOURCE:
            lane.source.renew()
        elif renew is Side.DESTINATION:
            lane.destination.renew()
        if changed is Side.SOURCE:
            name = folder.source.name
            folder.status = replace(lane.source.status(name), elsewhere=folder.status.elsewhere)
            folder.source = folder.status.ref(name)

    # --- The destination folder ----------------------------------------------------------------------

    def _open_destination(self) -> DestinationFolder | None:
        """The destination folder; None if it is missing or cannot be opened, which is asked once more over a
        new connection if the server lists the folder as one that can be opened."""
        session, name = self._lane.destination, self._folder.destination
        self._folder.missing = False
        try:
            return DestinationFolder(*session.open_for_appending(name))
        except FolderUnusable:
            if name not in {folder.name for folder in session.folders() if folder.selectable}:
                self._folder.missing = True  # or only the parent of others, as a removed folder may be listed
                return None
        session.renew()
        try:
            return DestinationFolder(*session.open_for_appending(name))
        except FolderUnusable:
            return None

    def _follow_first_message(self, status: FolderStatus) -> bool:
        """Whether the folder is the one that was empty when this leg opened it, under another UIDVALIDITY:
        some servers assign it with the first message. Receipts are then valid for it as it is now."""
        folder = self._folder
        empty, folder.was_empty = folder.was_empty, None
        if empty is None or empty.uidvalidity == status.uidvalidity:
            return False
        leg, route = folder.leg, folder.leg.import_.route
        stored = 0
        first: Receipt | None = None
        for receipt in folder.receipts():
            if receipt.destination == empty and receipt.outcome is Outcome.COPIED:
                stored += len(receipt.source_uids)
                first = first or (receipt if receipt.source == folder.source else None)
        if first is None or stored > status.messages or not self._holds_one_of(first, status):
            return False
        leg.ledger.detach(route, empty.name, empty.uidvalidity, leg.lease)
        leg.ledger.attach(route, empty.name, status.uidvalidity, leg.lease)
        return True

    def _holds_one_of(self, receipt: Receipt, status: FolderStatus) -> bool:
        """Whether one of the messages of the first receipt is among the first in the folder, by its header:
        else the folder was removed and created again meanwhile."""
        lane = self._lane
        sent = UidSet.of(receipt.source_uids[:SAMPLE])
        ref = status.ref(self._folder.destination)
        stored = UidSet.of(islice(lane.destination.uids(ref), SAMPLE))
        keys = [
            {
                header_key(munged(lines.header)).digest
                for lines in session.headers(folder, uids)
                if has_identifying_field(lines.header)
            }
            for session, folder, uids in (
                (lane.source, receipt.source, sent),
                (lane.destination, ref, stored),
            )
        ]
        return not keys[0].isdisjoint(keys[1])

    def _recreate(self) -> DestinationFolder:
        """Create a missing folder for new mail. Messages that were copied into the old one stay settled."""
        folder, leg, missing = self._folder, self._folder.leg, self._folder.history.destination
        leg.ledger.detach(leg.import_.route, missing.name, missing.uidvalidity, leg.lease)
        leg.ledger.detach_all(leg.import_.destination, [missing.name], leg.lease)
        leg.ledger.note_created(leg.import_.id, [folder.destination], leg.lease)
        self._lane.destination.create(folder.destination)
        created = self._open_destination()
        self._load_history(created, folder.receipts())
        if created is None:
            raise FolderUnusable(
                Text("folder_unusable.not_created", folder=folder.destination),
                side=self._lane.destination.side,
            )
        return created

    def _open_target(self, destination: DestinationFolder) -> None:
        folder, session = self._folder, self._lane.destination
        status, ref = destination.status, destination.status.ref(folder.destination)
        if destination.rule is None:
            raise FolderUnusable(
                Text("folder_unusable.read_only", folder=folder.destination), side=session.side
            )
        folder.was_empty = ref if status.uidnext <= 1 else None
        had_mail = status.messages or status.uidnext > 1  # a number of 0 alone proves nothing
        existing = session.uids(ref) if had_mail else UidSet()
        unlisted = session.unlisted(ref) if had_mail else 0
        if folder.history.opened_at is None:
            folder.history.opened_at = max(status.uidnext, Uid((existing.highest or 0) + 1))
        ours = folder.history.destination_uids
        if unlisted > len(ours - existing):  # not only our own copies
            raise FolderUnusable(
                Text("folder_unusable.unlisted", folder=folder.destination, number=unlisted),
                side=session.side,
            )
        others = existing - ours
        self._unmark(ref, others)
        mail = ExistingMail(session, ref, others)
        target = Target(folder.source, ref, destination.rule, folder.limit_bytes, mail)
        folder.state.open(target, status.uidnext)

    def _unmark(self, ref: FolderRef, others: UidSet) -> None:
        """An undo that was interrupted may have marked messages as deleted. Those found among `others` are
        going to count as present, and another program would expunge them."""
        leg = self._folder.leg
        noted = leg.ledger.noted_removals(leg.import_.destination).get(ref) if others else None
        if noted and (marked := others & noted):
            self._lane.destination.change_flags(ref, marked, (), ("\\Deleted",))

    # --- The history ---------------------------------------------------------------------------------

    def _load_history(self, destination: DestinationFolder | None, receipts: Iterable[Receipt]) -> None:
        """Rebuild the history of the destination folder; `receipts` are all receipts into it. If one names a
        UID that the folder has not reached, another folder has its UIDVALIDITY: then all of them are void,
        also those with a UID that the other folder has reached meanwhile."""
        folder, leg, session = self._folder, self._folder.leg, self._lane.destination
        status = destination.status if destination else None
        history = self._recalled(status, receipts)
        if status is not None and history.unreached is not None:
            found = numbering(session, history.destination, status, history.unreached)
            if found.is_another:
                leg.ledger.outdate_all(leg.import_.destination, history.destination, leg.lease)
            history = self._recalled(replace(status, uidnext=found.uidnext), folder.receipts())
        folder.history = history
        folder.state.count(history, folder.state.tally, folder.state.remaining)
        if status and history.detached:  # an earlier leg stopped while it recreated the folder
            leg.ledger.attach(leg.import_.route, folder.destination, status.uidvalidity, leg.lease)

    def _recalled(self, status: FolderStatus | None, receipts: Iterable[Receipt]) -> FolderHistory:
        """The history of the destination folder, which is missing if it has no `status`."""
        folder, leg = self._folder, self._folder.leg
        uidvalidity = status.uidvalidity if status else self._last_uidvalidity()
        expected = max(folder.status.messages, status.messages if status else 0)
        ref, uidnext = FolderRef(folder.destination, uidvalidity), status.uidnext if status else None
        same = folder.history if folder.history.destination == ref else None
        history = FolderHistory(
            leg.import_.id,
            folder.source,
            ref,
            uidnext,
            opened_at=same.opened_at if same else None,
            met_first=leg.digests(expected),
            met_before=leg.digests(expected),
            former=leg.digests(expected),
            sent_lately=leg.sent_lately,
        )
        history.recall(receipts)
        history.refuse(leg.ledger.refusals(leg.import_.id, folder.source.name))
        return history

    def _last_uidvalidity(self) -> UidValidity:
        """UIDVALIDITY of a folder that its owner removed or renamed: copies into it stay in the tally."""
        leg = self._folder.leg
        last = leg.ledger.last_receipt(leg.import_.route, self._folder.destination)
        return last.destination.uidvalidity if last is not None else ANY_UIDVALIDITY

    def _forget_old_numbers(self, destination: DestinationFolder | None) -> None:
        """If the source was renumbered under the same UIDVALIDITY, an old UID means another message: have the
        old receipts count by content alone. A folder of labels numbers no messages of its own."""
        folder, leg = self._folder, self._folder.leg
        uidnext = max(folder.status.uidnext, Uid((folder.listed.highest or 0) + 1))
        first_pass, folder.is_numbering_checked = not folder.is_numbering_checked, True
        # In later passes the survey's UIDNEXT is older than the messages that arrived since.
        if not first_pass or folder.status.contents:
            return
        if folder.history.renumbered(uidnext) or self._has_another_message():
            leg.ledger.renumber(leg.import_.route, folder.destination, folder.source, leg.lease)
            self._load_history(destination, folder.receipts())

    def _has_another_message(self) -> bool:
        """Whether an earlier import settled one of the latest UIDs for another message."""
        folder, leg = self._folder, self._folder.leg
        if not folder.history.settled:
            return False
        last = leg.ledger.last_receipt(leg.import_.route, folder.destination)
        if last is None or last.import_id == leg.import_.id:
            return False
        return means_another(self._lane.source, folder.source, last, folder.listed)

    # --- The messages to copy ------------------------------------------------------------------------

    def _list_source(self, *, uncopied: bool) -> list[MessageBatch] | FolderUnusable:
        """Set `listed` to the UIDs that the source lists. If nothing was copied so far (`uncopied`) and UIDs
        are dense, sizes are read instead of UIDs and all messages are returned as batches, which saves a
        round trip; else the list is empty."""
        folder, session = self._folder, self._lane.source
        status = folder.status
        dense = status.uidnext <= 2 * status.messages + 1000
        sizes = self._look.sizes if self._look else None
        try:
            if sizes or (status.messages and dense and uncopied):
                highest = sizes[-1][0] if sizes else status.uidnext - 1
                listed, all_batches = self._listed_batches(UidSet.from_ranges([(1, highest)]))
                if len(listed) >= status.messages:
                    folder.listed = listed
                    return all_batches if uncopied else []
            self._look = None  # older than the list that follows
            folder.listed = session.uids(folder.source)
            folder.unlisted = session.unlisted(folder.source)
        except FolderUnusable as unusable:
            return unusable
        return []

    def _batches_of(self, uids: UidSet, max_messages: int | None = None) -> list[MessageBatch]:
        """Batches of `uids`. Messages that the source no longer lists come first: their fetch reports why."""
        if not uids:
            return []
        listed, listed_batches = self._listed_batches(uids, max_messages)
        vanished = (uids - listed).chunks(max_messages or self._folder.max_messages)
        return [*(MessageBatch(chunk, 0) for chunk in vanished), *listed_batches]

    def _listed_batches(
        self, uids: UidSet, max_messages: int | None = None
    ) -> tuple[UidSet, list[MessageBatch]]:
        """The members of `uids` that the source lists, and their batches."""
        listed = Ascending()
        folder = self._folder

        def sizes() -> Iterator[tuple[Uid, int]]:
            for uid, size_bytes in self._sizes(uids):
                listed.add(uid)
                yield uid, size_bytes

        grouped = list(folder.grouped(sizes(), limit_bytes=folder.limit_bytes, max_messages=max_messages))
        return listed.uids, grouped

    def _sizes(self, uids: UidSet) -> Iterable[tuple[Uid, int]]:
        sizes = self._look.sizes if self._look else None
        if sizes is None:
            return self._lane.source.sizes(self._folder.source, uids)
        return (one for one in sizes if one[0] in uids)
