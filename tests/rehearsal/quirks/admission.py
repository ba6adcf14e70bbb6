"""Quirks of greetings and the start of sessions: AUTHENTICATE, LOGIN, STARTTLS, COMPRESS."""

from __future__ import annotations

from typing import ClassVar

from tests.rehearsal.quirks.hooks import BARE, PLAIN
from tests.rehearsal.quirks.mail import Mailbox
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Words


@quirk("greeting-bye")
class GreetingBye(Session):
    """The greeting is a BYE with a reason (RFC 3501 section 7.1.5)."""

    def run(self) -> None:
        self.say(b"* BYE [UNAVAILABLE] Account moved on 1 October; see http://moved.old.example/")
        self.flush()


@quirk("greeting-preauth")
class GreetingPreauth(Session):
    """The greeting is PREAUTH: the connection is already authenticated, and LOGIN gets BAD."""

    def greeting(self) -> bytes:
        self.logged_in = True
        return b"* PREAUTH [CAPABILITY " + self.capabilities() + b"] signed in by address"

    def do_login(self, tag: bytes, arguments: Words) -> None:
        raise InvalidCommand("already signed in")

    def do_authenticate(self, tag: bytes, arguments: Words) -> None:
        raise InvalidCommand("already signed in")


@quirk("greets-as-exchange")
class GreetsAsExchange(Session):
    """The greeting is that of Exchange, whatever the server offers, as of a proxy in front of another one."""

    def greeting(self) -> bytes:
        return super().greeting() + b" The Microsoft Exchange IMAP4 service is ready."


@quirk("login-referral")
class LoginReferral(Session):
    """The login gets NO with a REFERRAL (RFC 2221) to another server."""

    def sign_in(self, tag: bytes, user: bytes, password: bytes) -> None:
        self.no(tag, b"[REFERRAL imap://reader@two.old.example/] Your mailbox is on server two")


@quirk("login-disabled")
class LoginDisabled(Session):
    """LOGINDISABLED is offered and LOGIN gets NO; AUTHENTICATE works, without an initial response."""

    def capabilities(self) -> bytes:
        return PLAIN.encode() + b" LOGINDISABLED"

    def do_login(self, tag: bytes, arguments: Words) -> None:
        self.no(tag, b"[PRIVACYREQUIRED] LOGIN is disabled")


@quirk("authenticate-with-words")
class AuthenticateWithWords(Session):
    """AUTHENTICATE sends `+ Go ahead` instead of an empty challenge."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def say(self, line: bytes) -> None:
        super().say(b"+ Go ahead" if line == b"+ " else line)


@quirk("authenticate-disabled")
class AuthenticateDisabled(Session):
    """AUTH=PLAIN is offered and AUTHENTICATE gets NO [CANNOT]; LOGIN works."""

    def do_authenticate(self, tag: bytes, arguments: Words) -> None:
        self.no(tag, b"[CANNOT] mechanism not available")


@quirk("literals-refused-at-login")
class LiteralsRefusedAtLogin(Session):
    """LOGIN is the only login command, and a literal in it gets BAD; quoted strings work."""

    def capabilities(self) -> bytes:
        return BARE.encode()

    def read_command(self) -> list[bytes]:
        while True:
            line = self.read_line()
            if self.logged_in or not line.endswith(b"}"):
                self._input[:0] = line + b"\r\n"
                return super().read_command()
            self.say(line.partition(b" ")[0] + b" BAD literals are not taken before the login")


@quirk("login-unavailable-once")
class LoginUnavailableOnce(Session):
    """The first login gets NO [UNAVAILABLE]; later ones work."""

    refused: ClassVar[bool] = False

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.refused = False

    def sign_in(self, tag: bytes, user: bytes, password: bytes) -> None:
        if not self.refused:
            type(self).refused = True
            self.no(tag, b"[UNAVAILABLE] Temporary authentication failure. [mail:2026]")
            return
        super().sign_in(tag, user, password)


@quirk("one-connection-at-a-time")
class OneConnectionAtATime(Session):
    """A login while another connection is open gets NO [LIMIT]."""

    holder: ClassVar[Session | None] = None

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.holder = None

    def sign_in(self, tag: bytes, user: bytes, password: bytes) -> None:
        if self.holder is not None:
            self.no(tag, b"[LIMIT] Maximum number of connections from user exceeded (1)")
            return
        type(self).holder = self
        super().sign_in(tag, user, password)

    def run(self) -> None:
        try:
            super().run()
        finally:
            if self.holder is self:
                type(self).holder = None


@quirk("capabilities-of-two-servers")
class CapabilitiesOfTwoServers(Session):
    """Every second connection reaches another server, which offers hardly any capabilities."""

    def capabilities(self) -> bytes:
        return BARE.encode() if self.number % 2 == 0 else super().capabilities()

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if self.number % 2 == 0 and command in (b"NAMESPACE", b"ID", b"UNSELECT", b"AUTHENTICATE"):
            raise InvalidCommand("unknown command")
        return super().may_begin(tag, command)


@quirk("starttls-refused")
class StarttlsRefused(Session):
    """STARTTLS is offered and gets NO."""

    def capabilities(self) -> bytes:
        return super().capabilities() + (b"" if self.logged_in else b" STARTTLS")

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if command == b"STARTTLS":
            self.no(tag, b"TLS not available due to temporary reason")
            return False
        return super().may_begin(tag, command)


@quirk("compress-refused")
class CompressRefused(Session):
    """COMPRESS=DEFLATE is offered and gets NO (RFC 4978 section 3)."""

    def capabilities(self) -> bytes:
        return super().capabilities() + b" COMPRESS=DEFLATE"

    def do_compress(self, tag: bytes, _arguments: Words) -> None:
        self.no(tag, b"[COMPRESSIONACTIVE] DEFLATE active via TLS")


@quirk("compress-ends-connection")
class CompressEndsConnection(CompressRefused):
    """COMPRESS=DEFLATE is offered and ends the connection."""

    def do_compress(self, tag: bytes, _arguments: Words) -> None:
        raise HangUp


@quirk("id-ends-connection")
class IdEndsConnection(Session):
    """ID is offered and ends the connection."""

    def do_id(self, tag: bytes, arguments: Words) -> None:
        raise HangUp
