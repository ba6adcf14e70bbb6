"""Quirks of removals at a destination."""

from __future__ import annotations

from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import Words


@quirk("expunge-does-nothing", "(retention rules, litigation hold)")
class ExpungeDoesNothing(Session):
    """UID EXPUNGE gets OK, and nothing is removed."""

    def do_expunge(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        self.ok(tag, b"EXPUNGE")


@quirk("deleted-mark-ignored", "(RFC 4314 section 4)")
class DeletedMarkIgnored(Session):
    r"""STORE of \Deleted gets OK and changes nothing, as for a user without the right to it."""

    def do_store(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        if rb"\Deleted" in arguments[-1]:
            self.ok(tag, b"STORE")
        else:
            super().do_store(tag, arguments, by_uid=by_uid)


@quirk("expunge-refused", "(RFC 4314 section 4)")
class ExpungeRefused(Session):
    """UID EXPUNGE gets NO [NOPERM]."""

    def do_expunge(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        self.no(tag, b"[NOPERM] no right to expunge")


@quirk("expunge-of-the-first")
class ExpungeOfTheFirst(Session):
    """UID EXPUNGE removes the first of its messages alone."""

    def do_expunge(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        first = arguments[0].replace(b",", b":").partition(b":")[0]
        super().do_expunge(tag, [first], by_uid=by_uid)
