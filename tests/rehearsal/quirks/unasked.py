"""Quirks of responses that were not requested, that come in another order, or that belong to others: proxies,
NOTIFY, servers that are about to stop."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Words


class _SaysByeFirst(Session):
    """Says BYE in front of a complete answer, and ends the connection after it."""

    leaves = False

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, text)
        if self.leaves:
            raise HangUp

    def say_bye(self) -> None:
        self.leaves = True
        self.say(b"* BYE this server is about to be restarted")


@quirk("bye-before-contents", "(RFC 9051 section 7.1.5)")
class ByeBeforeContents(_SaysByeFirst):
    """Each FETCH of contents is answered by BYE, then completely, and ends the connection."""

    def do_fetch(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        if b"BODY.PEEK[]" in repr(arguments[1]).upper().encode():
            self.say_bye()
        super().do_fetch(tag, arguments, by_uid=by_uid)


@quirk("bye-before-append-ok", "(RFC 9051 section 7.1.5)")
class ByeBeforeAppendOk(_SaysByeFirst):
    """At a destination: APPEND stores; its OK comes behind a BYE and ends the connection."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        self.say_bye()
        return super().append_code(folder, uids)


@quirk("fewer-capabilities-in-the-middle")
class FewerCapabilitiesInTheMiddle(Session):
    """At a destination: after ten commands a proxy has moved the session to an older server, says what that
    one offers, and gives BAD to anything else."""

    moved = False
    executed = 0

    def capabilities(self) -> bytes:
        return b"IMAP4rev1" if self.moved else super().capabilities()

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        self.executed += self.logged_in
        if self.executed == 10:
            self.moved = True
            self.say(b"* CAPABILITY IMAP4rev1")
        if self.moved and command in (b"UNSELECT", b"NAMESPACE", b"ID", b"UID EXPUNGE"):
            raise InvalidCommand("unknown command")
        return super().may_begin(tag, command)

    def accept_literal(self, line: bytes, *, synchronizing: bool) -> None:
        self.literal_refused = self.moved and not synchronizing
        super().accept_literal(line, synchronizing=synchronizing)

    def do_append(self, tag: bytes, arguments: Words) -> None:
        if getattr(self, "literal_refused", False):
            raise InvalidCommand("invalid literal")
        super().do_append(tag, arguments)


@quirk("status-of-others-first", "(RFC 5465)")
class StatusOfOthersFirst(Session):
    """Each STATUS response follows one of INBOX, with nothing in it, that was not requested."""

    def tell_status(self, folder: Folder, items: Sequence[bytes]) -> None:
        if folder is not self.box.inbox:
            self.say(b'* STATUS "INBOX" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY %d)' % self.box.inbox.uidvalidity)
        super().tell_status(folder, items)


@quirk("status-of-others-last", "(RFC 5465)")
class StatusOfOthersLast(Session):
    """Each STATUS response is followed by one of an empty folder that was not requested."""

    def tell_status(self, folder: Folder, items: Sequence[bytes]) -> None:
        super().tell_status(folder, items)
        self.say(b'* STATUS "News" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 99)')


@quirk("items-unasked", "(RFC 8474, RFC 8970)")
class ItemsUnasked(Session):
    """Each response to FETCH has EMAILID, THREADID, SAVEDATE, PREVIEW as a literal, and an item of its own
    with lists in it; SELECT sends MAILBOXID."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [*super().opening_lines(folder), b"OK [MAILBOXID (F%d)] id" % folder.uidvalidity]

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        before = [
            (b"EMAILID", b"(M%d)" % message.uid),
            (b"THREADID", b"NIL"),
            (b"PREVIEW", b"{9}\r\nUID 99 )("),
            (b"X-VENDOR.DATA", b'((NIL "a)b") 18446744073709551615 -1)'),
        ]
        after = [(b"SAVEDATE", b"NIL"), (b"MODSEQ", b"(12345678901234567890)")]
        return super().fetch_lines(number, message, [*before, *items, *after])


@quirk("answers-for-others")
class AnswersForOthers(Session):
    """In front of each tagged reply comes one with the tag of another client (a shared proxy)."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        if self.logged_in and command not in (b"LOGIN", b"AUTHENTICATE", b"LOGOUT"):
            self.say(b"proxy7 OK NOOP completed")
        super().ended_well(tag, command, text)


@quirk("answers-backwards", "(RFC 9051 section 5.5)")
class AnswersBackwards(Session):
    """Commands that arrive together are executed and answered in reverse order."""

    def one_command(self, parts: list[bytes]) -> None:
        together = [parts]
        while self.logged_in and self.more_has_come(0.02):
            together.append(self.read_command())
        for one in reversed(together):
            super().one_command(one)


@quirk("warnings-about-quota", "(Dovecot quota_warning, Kerio)")
class WarningsAboutQuota(Session):
    """At a destination: in front of each OK of APPEND come warnings that the mailbox is nearly full."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        self.say(b"* NO [OVERQUOTA] Mailbox is at 95% of its quota")
        self.say(b"* NO [ALERT] Your mailbox is almost full")
        self.say(b"* BAD quota daemon: no answer")
        return super().append_code(folder, uids)

    def capabilities(self) -> bytes:
        return PLAIN.encode()
