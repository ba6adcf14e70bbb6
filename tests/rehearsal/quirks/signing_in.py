"""Quirks of the greeting and the login, and of mailboxes that are inaccessible afterwards."""

from __future__ import annotations

import time

from tests.rehearsal.quirks.hooks import BARE
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import PASSWORD, Session
from tests.rehearsal.quirks.wire import InvalidCommand, Words


class _NothingAllowed(Session):
    alert = b""
    refusal = b""

    def ok(self, tag: bytes, command: bytes, text: bytes = b"done") -> None:
        super().ok(tag, command, self.alert if command == b"LOGIN" else text)

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if self.logged_in and command not in (b"CAPABILITY", b"LOGOUT", b"NOOP"):
            self.no(tag, self.refusal)
            return False
        return super().may_begin(tag, command)


@quirk("signed-in-and-nothing-allowed", "jstedfast/MailKit#860")
class SignedInAndNothingAllowed(_NothingAllowed):
    """The login works, with an ALERT that contains the fix; all later commands get NO."""

    alert = b"[ALERT] Switch on IMAP in the settings of this mailbox first"
    refusal = b"IMAP is disabled for this account"


@quirk("signed-in-and-nothing-allowed-in-unknown-words", "jstedfast/MailKit#860")
class SignedInAndNothingAllowedInUnknownWords(_NothingAllowed):
    """The same, with texts unknown to every client; the NO has no ALERT."""

    alert = b"[ALERT] Wlacz dostep programow pocztowych w ustawieniach konta"
    refusal = b"nie teraz"


@quirk("alerts")
class Alerts(Session):
    """The login response has an ALERT (RFC 9051 section 7.1) that repeats the password; each LIST and APPEND
    has another ALERT."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        if command in (b"LOGIN", b"AUTHENTICATE"):
            self.say(b"* OK [ALERT] Your secret " + PASSWORD.encode() + b" expires in 3 days")
        if command in (b"LIST", b"APPEND"):
            self.say(b"* OK [ALERT] Maintenance tonight at 22:00, see http://status.old.example/")
        super().ended_well(tag, command, text)


@quirk("signed-in-and-no-answer", "jstedfast/MailKit#860")
class SignedInAndNoAnswer(Session):
    """The login works; no later command gets a response."""

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        return not self.logged_in and super().may_begin(tag, command)


@quirk("greeting-turns-away", "jstedfast/MailKit#1073")
class GreetingTurnsAway(Session):
    """Instead of a greeting, the server sends a NO without an asterisk, which temporarily refuses this
    address."""

    def greeting(self) -> bytes:
        return b" NO LOGOUT this address is shut out for a while"

    def run(self) -> None:
        self.say(self.greeting())
        self.flush()


@quirk("greeting-with-another-code", "emersion/go-imap#600")
class GreetingWithAnotherCode(Session):
    """The greeting has a misspelt response code."""

    def greeting(self) -> bytes:
        return b"* OK [CAPABILITIES IMAP4rev1] ready"


@quirk("greeting-of-two-words", "kenn-io/msgvault#218")
class GreetingOfTwoWords(Session):
    """The greeting is only `* OK`, sent after a second."""

    def greeting(self) -> bytes:
        time.sleep(1)
        return b"* OK"


@quirk("line-without-tag-after-capability", "dinhvh/libetpan#45")
class LineWithoutTagAfterCapability(Session):
    """A line with neither tag nor asterisk follows the OK of CAPABILITY, which every client has to
    request."""

    def greeting(self) -> bytes:
        return b"* OK ready"

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, b"welcome" if command == b"LOGIN" else text)
        if command == b"CAPABILITY":
            self.say(b"CAPABILITY completed.")


@quirk("other-capabilities-after-login", "jstedfast/MailKit#572")
class OtherCapabilitiesAfterLogin(Session):
    """Many capabilities are announced before the login, hardly any after it, and those only on request."""

    def capabilities(self) -> bytes:
        return BARE.encode() if self.logged_in else super().capabilities()

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, b"welcome" if command == b"LOGIN" else text)

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if self.logged_in and command in (b"NAMESPACE", b"ID", b"UNSELECT"):
            raise InvalidCommand("not offered")
        return super().may_begin(tag, command)


@quirk("authenticate-refused", "jstedfast/MailKit#572")
class AuthenticateRefused(Session):
    """AUTH=PLAIN is offered and AUTHENTICATE gets BAD; LOGIN works."""

    def do_authenticate(self, tag: bytes, arguments: Words) -> None:
        raise InvalidCommand("unknown command")


@quirk("initial-response-refused")
class InitialResponseRefused(Session):
    """SASL-IR is offered; AUTHENTICATE with an initial response gets BAD."""

    def do_authenticate(self, tag: bytes, arguments: Words) -> None:
        if len(arguments) > 1:
            raise InvalidCommand("too many arguments")
        super().do_authenticate(tag, arguments)


@quirk("capability-refused")
class CapabilityRefused(Session):
    """CAPABILITY gets BAD, and no other response announces capabilities."""

    def greeting(self) -> bytes:
        return b"* OK ready"

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, b"welcome" if command == b"LOGIN" else text)

    def do_capability(self, tag: bytes, _arguments: Words) -> None:
        raise InvalidCommand("unknown command")
