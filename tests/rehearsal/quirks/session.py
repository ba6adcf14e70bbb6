"""One connection of a quirk server: reads commands, signs in, and calls the method of each command."""

from __future__ import annotations

import base64
import contextlib
from typing import ClassVar, Final

from tests.rehearsal.quirks.message_commands import MessageCommands
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Words, words

PASSWORD = "pass"
_BEFORE_LOGIN: Final = (b"CAPABILITY", b"NOOP", b"ID", b"LOGOUT", b"LOGIN", b"AUTHENTICATE")


class Session(MessageCommands):
    """One connection of one client. A quirk is a subclass; a server with several quirks combines them."""

    report: ClassVar[str] = ""  # the public report that the quirk imitates, as repository#number

    def run(self) -> None:
        with contextlib.suppress(HangUp, OSError):
            self.say(self.greeting())
            while True:
                self.flush()
                self.one_command(self.read_command())
        with contextlib.suppress(OSError):
            self.flush()

    def one_command(self, parts: list[bytes]) -> None:
        tag, _, rest = parts[0].partition(b" ")
        try:
            self._execute(tag, words([rest, *parts[1:]]))
        except InvalidCommand as invalid:
            self.say((tag or b"*") + b" BAD " + str(invalid).encode())
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            self.say((tag or b"*") + b" BAD arguments: " + repr(error).encode("ascii", "replace"))

    def _execute(self, tag: bytes, arguments: Words) -> None:
        if not arguments or not isinstance(arguments[0], bytes):
            raise InvalidCommand("a command is missing")
        command, arguments = arguments[0].upper(), arguments[1:]
        by_uid = command == b"UID"
        if by_uid and arguments:
            command, arguments = arguments[0].upper(), arguments[1:]
        name = b"UID " + command if by_uid else command
        self.server.commands.append((self.number, name, arguments))
        if not self.may_begin(tag, name):
            return
        method = getattr(self, "do_" + command.decode("ascii", "replace").lower(), None)
        if method is None:
            raise InvalidCommand("no such command")
        if not self.logged_in and command not in _BEFORE_LOGIN:
            raise InvalidCommand("log in first")
        if not self.logged_in:  # without the lock: AUTHENTICATE waits for the client
            method(tag, arguments)
            return
        with self.box.lock:
            if by_uid:
                method(tag, arguments, by_uid=True)
            else:
                method(tag, arguments)

    def do_capability(self, tag: bytes, _arguments: Words) -> None:
        self.say(b"* CAPABILITY " + self.capabilities())
        self.ok(tag, b"CAPABILITY")

    def do_noop(self, tag: bytes, _arguments: Words) -> None:
        self.tell_changes()
        self.ok(tag, b"NOOP")

    def do_id(self, tag: bytes, _arguments: Words) -> None:
        self.say(b'* ID ("name" "quirks")')
        self.ok(tag, b"ID")

    def do_logout(self, tag: bytes, _arguments: Words) -> None:
        self.say(b"* BYE until next time")
        self.ok(tag, b"LOGOUT")
        raise HangUp

    def do_login(self, tag: bytes, arguments: Words) -> None:
        user, password = arguments
        self.sign_in(tag, bytes(user), bytes(password))

    def do_authenticate(self, tag: bytes, arguments: Words) -> None:
        if arguments[0].upper() != b"PLAIN":
            self.no(tag, b"only PLAIN")
            return
        if len(arguments) > 1:
            answer = bytes(arguments[1])
        else:
            self.say(b"+ ")
            answer = self.read_line()
        _, user, password = base64.b64decode(answer).split(b"\0")
        self.sign_in(tag, user, password)

    def sign_in(self, tag: bytes, user: bytes, password: bytes) -> None:
        if password != PASSWORD.encode():
            self.no(tag, b"[AUTHENTICATIONFAILED] not with this password")
            return
        self.logged_in = True
        self.user = user.decode("utf-8", "replace")
        self.server.logins.append(self.user)
        self.ok(tag, b"LOGIN", b"[CAPABILITY " + self.capabilities() + b"] welcome")
