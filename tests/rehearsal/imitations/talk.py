"""One connection: the commands of RFC 3501 that a copier needs, and a few extensions.

A `Dialect` defines the peculiarities of a provider. Its defaults are those of a plain server.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tests.rehearsal.imitations.mailbox import Folder, Letter, Mailbox, Refused
from tests.rehearsal.imitations.parsing import (
    LITERAL,
    Unreadable,
    Word,
    as_ranges,
    chosen,
    quoted,
    text_of,
    words,
)

if TYPE_CHECKING:
    from tests.rehearsal.imitations.server import Imitation

SYSTEM_FLAGS = ("\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "\\Seen")
_HEADER_FIELDS = re.compile(r"BODY(?:\.PEEK)?\[HEADER\.FIELDS \(([^)]*)\)\]", re.I)


class Dialect:
    """The peculiarities of a provider's server. `before` is called for every command."""

    name = "plain"
    greeting = "ready"
    capabilities_before_login = "IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR"
    capabilities = "IMAP4rev1 UIDPLUS LITERAL+ NAMESPACE UNSELECT"
    login_refused = "NO [AUTHENTICATIONFAILED] Authentication failed."
    oauth_error = '{"status":"401","schemes":"bearer","scope":"mail"}'
    done = "done"
    no_such_folder = "NO [NONEXISTENT] No such folder: {name}"
    permanent_flags: tuple[str, ...] = (*SYSTEM_FLAGS, "\\*")
    inbox = "INBOX"
    max_literal_plus_bytes: int | None = None  # with LITERAL-: 4096 (RFC 7888)

    def new_mailbox(self) -> Mailbox:
        return Mailbox()

    def admission_refused(self, talk: Talk) -> str | None:
        """The response (after the tag) if logins are refused now, whatever the password."""
        return None

    def before(self, talk: Talk, command: str, arguments: Sequence[Word]) -> str | None:
        """The response (after the tag) that replaces the normal one, if any."""
        return None

    def listed(self, mailbox: Mailbox) -> Iterable[Folder]:
        return mailbox.folders.values()

    def shown(self, folder: Folder) -> list[int]:
        """The visible UIDs of the folder, ascending."""
        return list(folder.letters)

    def searched(self, uids: list[int]) -> list[int]:
        """The subset of those UIDs that SEARCH returns."""
        return uids

    def append_refused(self, flags: Sequence[str], content: bytes) -> str | None:
        return None

    def flags_kept(self, flags: Sequence[str]) -> list[str]:
        """The flags that APPEND stores."""
        return list(flags)

    def more_items(self, wanted: Sequence[str], folder: Folder, letter: Letter) -> list[bytes]:
        """FETCH items that only this provider has."""
        return []

    def ordered(self, items: list[bytes]) -> list[bytes]:
        """FETCH items in the provider's own order."""
        return items

    def fetch_refused(self, talk: Talk, letters: Sequence[Letter], *, whole: bool) -> str | None:
        return None

    def answered(self, uids: list[int], requested: Sequence[str]) -> list[int]:
        """The subset of those UIDs that FETCH of these items returns."""
        return uids

    def fetch_limit(self) -> int | None:
        """The maximum number of messages of one command (RFC 9738)."""
        return None


class _Closed(Exception):
    """The connection is to be closed."""


class Talk:
    """One connection."""

    def __init__(self, server: Imitation, connection: socket.socket) -> None:
        self._server = server
        self._dialect = server.dialect
        self._socket = connection
        self._stream = connection.makefile("rb")
        self._tag = ""
        self._out: list[bytes] = []
        self.user = ""
        self.mailbox: Mailbox | None = None
        self.folder: Folder | None = None
        self.read_only = False
        self.errors = 0
        self._last_words = ""  # replaces the normal OK at the end of the response
        self.closing = ""  # set by a dialect: sent with BYE after the response

    @property
    def connections(self) -> int:
        """The number of open connections, including this one."""
        return len(self._server.talks)

    def close_abruptly(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def run(self) -> None:
        with contextlib.suppress(_Closed, OSError, ValueError):
            self._say(f"* OK {self._dialect.greeting}")
            self._flush()
            while True:
                self._command()

    # --- Bytes ---------------------------------------------------------------------------------------

    def _say(self, line: str | bytes) -> None:
        self._out.append(
            (line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line) + b"\r\n"
        )

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        self._socket.sendall(data)

    def _line(self) -> bytes:
        line = self._stream.readline(1 << 20)
        if not line.endswith(b"\r\n"):
            raise _Closed
        return line

    def _parts(self) -> list[bytes]:
        """Text, literal, text, ... of one command."""
        parts: list[bytes] = []
        while True:
            line = self._line()
            literal = LITERAL.search(line)
            if literal is None:
                return [*parts, line[:-2]]
            size = int(literal[1])
            limit = self._dialect.max_literal_plus_bytes
            if not literal[2]:
                self._say("+ go ahead")
                self._flush()
            elif (
                limit is not None and size > limit
            ):  # RFC 7888 section 5: must not be sent as non-synchronizing literal
                self._say("* BYE literal too large for LITERAL-")
                self._flush()
                raise _Closed
            content = self._stream.read(size)
            if len(content) < size:
                raise _Closed
            parts += [line[: literal.start()], content]

    # --- Commands ------------------------------------------------------------------------------------

    def _command(self) -> None:
        parts = self._parts()
        self._tag, _, rest = parts[0].decode("latin-1").partition(" ")
        try:
            arguments = words([rest.encode("latin-1"), *parts[1:]])
            name = text_of(arguments.pop(0)).upper()
            if name == "UID":
                name = f"UID {text_of(arguments.pop(0)).upper()}"
        except (Unreadable, IndexError):
            self._end("BAD Could not parse command")
            self._flush()
            return
        with self._server.lock:
            self._server.commands[name] += 1
            closes = self._answer(name, arguments)
        if closes:
            self._say(f"* BYE {closes}")
        self._flush()
        if closes:
            raise _Closed

    def _answer(self, name: str, arguments: list[Word]) -> str:
        line = self._server.line_for(name)
        if line is not None and not line.text.startswith("OK"):
            self._end(line.text)
            return line.closes
        self._last_words = line.text if line is not None else ""
        odd = self._dialect.before(self, name, arguments)
        if odd is not None:
            self._end(odd)
            return self.closing
        handler: Callable[[list[Word]], None] | None = getattr(
            self, "_do_" + name.lower().replace(" ", "_"), None
        )
        if handler is None:
            self._end("BAD Unknown command")
            return ""
        if self.mailbox is None and name not in (
            "CAPABILITY",
            "LOGIN",
            "AUTHENTICATE",
            "LOGOUT",
            "ID",
            "NOOP",
        ):
            self._end("BAD Not authenticated")
            return ""
        try:
            handler(arguments)
        except Refused as refused:
            self._end(f"NO {refused}")
        except (Unreadable, IndexError, ValueError) as error:
            self._end(f"BAD Could not parse command ({type(error).__name__})")
        return ""

    def _end(self, text: str) -> None:
        """Send a tagged response. `text` begins with OK, NO or BAD."""
        self.errors += not text.startswith("OK")
        response, self._last_words = self._last_words or text, ""
        self._say(f"{self._tag} {response}")

    def _ok(self, text: str = "") -> None:
        self._end(f"OK {text or self._dialect.done}")

    def _do_capability(self, _arguments: list[Word]) -> None:
        dialect = self._dialect
        offered = dialect.capabilities_before_login if self.mailbox is None else dialect.capabilities
        self._say(f"* CAPABILITY {offered}")
        self._ok()

    def _do_id(self, _arguments: list[Word]) -> None:
        self._say(f'* ID ("name" "{self._dialect.name}")')
        self._ok()

    def _do_noop(self, _arguments: list[Word]) -> None:
        self._ok()

    def _do_logout(self, _arguments: list[Word]) -> None:
        self._say("* BYE logging out")
        self._ok()
        self._flush()
        raise _Closed

    # --- Login ---------------------------------------------------------------------------------------

    def _do_login(self, arguments: list[Word]) -> None:
        if "LOGINDISABLED" in self._dialect.capabilities_before_login:
            self._end(self._dialect.login_refused)
            return
        self._admit(text_of(arguments[0]), password=text_of(arguments[1]))

    def _do_authenticate(self, arguments: list[Word]) -> None:
        mechanism = text_of(arguments[0]).upper()
        if f"AUTH={mechanism}" not in self._dialect.capabilities_before_login.split():
            self._end("NO [CANNOT] Unsupported authentication mechanism.")
            return
        if len(arguments) > 1:
            first = text_of(arguments[1]).encode()
        else:
            self._say("+ ")
            self._flush()
            first = self._line()
        response = base64.b64decode(first)
        if mechanism == "PLAIN":
            _, user, password = response.decode().split("\0")
            self._admit(user, password=password)
            return
        fields = dict(part.partition("=")[::2] for part in response.decode().split("\x01") if "=" in part)
        user = fields.get("user", "")
        self._admit(user, token=fields.get("auth", "").removeprefix("Bearer "))

    def _admit(self, user: str, *, password: str | None = None, token: str = "") -> None:
        refused = self._dialect.admission_refused(self)
        if refused is not None:
            self._end(refused)
            return
        checker = self._server.accepts_token
        if password is not None:
            admitted = self._server.admits(user, password)
        else:
            admitted = checker is not None and checker(user, token)
            if not admitted:  # developers.google.com/gmail/imap/xoauth2-protocol, "Error response"
                self._say(b"+ " + base64.b64encode(self._dialect.oauth_error.encode()))
                self._flush()
                self._line()
        if not admitted:
            self._end(self._dialect.login_refused)
            return
        self.user = user
        self.mailbox = self._server.mailbox(user)
        self._ok()

    # --- Folders -------------------------------------------------------------------------------------

    @property
    def _mail(self) -> Mailbox:
        if self.mailbox is None:
            raise Refused("not authenticated")
        return self.mailbox

    def _folder_named(self, name: str) -> Folder:
        folder = self._mail.find(name)
        if folder is None or not folder.selectable:
            raise Refused(self._dialect.no_such_folder.removeprefix("NO ").format(name=name))
        return folder

    def _do_namespace(self, _arguments: list[Word]) -> None:
        self._say('* NAMESPACE (("" "/")) NIL NIL')
        self._ok()

    def _do_list(self, arguments: list[Word]) -> None:
        if arguments[1] == "":
            self._say('* LIST (\\Noselect) "/" "/"')
        else:
            subscribed = len(arguments) > 2
            for folder in self._dialect.listed(self._mail):
                attributes = [*folder.attributes]
                if subscribed and folder.subscribed:
                    attributes.append("\\Subscribed")
                self._say(f'* LIST ({" ".join(attributes)}) "/" {self._named(folder)}')
        self._ok()

    def _do_lsub(self, _arguments: list[Word]) -> None:
        for folder in self._dialect.listed(self._mail):
            if folder.subscribed:
                self._say(f'* LSUB () "/" {self._named(folder)}')
        self._ok()

    def _named(self, folder: Folder) -> str:
        return quoted(self._dialect.inbox if folder.name == "INBOX" else folder.name)

    def _do_create(self, arguments: list[Word]) -> None:
        self._mail.create(text_of(arguments[0]))
        self._ok()

    def _do_delete(self, arguments: list[Word]) -> None:
        self._mail.delete(self._folder_named(text_of(arguments[0])).name)
        self._ok()

    def _do_subscribe(self, arguments: list[Word]) -> None:
        self._folder_named(text_of(arguments[0])).subscribed = True
        self._ok()

    def _do_status(self, arguments: list[Word]) -> None:
        folder = self._folder_named(text_of(arguments[0]))
        self._say(
            f"* STATUS {self._named(folder)} (MESSAGES {len(self._dialect.shown(folder))}"
            f" UIDNEXT {folder.uidnext} UIDVALIDITY {folder.uidvalidity})"
        )
        self._ok()

    def _do_examine(self, arguments: list[Word]) -> None:
        self._open(text_of(arguments[0]), read_only=True)

    def _do_select(self, arguments: list[Word]) -> None:
        self._open(text_of(arguments[0]), read_only=False)

    def _open(self, name: str, *, read_only: bool) -> None:
        self.folder = None
        folder = self._folder_named(name)
        permanent = () if read_only else self._dialect.permanent_flags
        self._say(f"* FLAGS ({' '.join(SYSTEM_FLAGS)})")
        self._say(f"* OK [PERMANENTFLAGS ({' '.join(permanent)})] Flags permitted.")
        self._say(f"* OK [UIDVALIDITY {folder.uidvalidity}] UIDs valid.")
        self._say(f"* {len(self._dialect.shown(folder))} EXISTS")
        self._say("* 0 RECENT")
        self._say(f"* OK [UIDNEXT {folder.uidnext}] Predicted next UID.")
        self.folder, self.read_only = folder, read_only
        self._end(f"OK [READ-{'ONLY' if read_only else 'WRITE'}] {name} selected. ({self._dialect.done})")

    def _do_unselect(self, _arguments: list[Word]) -> None:
        self.folder = None
        self._ok()

    @property
    def _opened(self) -> Folder:
        if self.folder is None:
            raise Refused("No folder is open")
        return self.folder

    # --- Messages ------------------------------------------------------------------------------------

    def _do_append(self, arguments: list[Word]) -> None:
        folder = self._append_target(text_of(arguments[0]))
        content = arguments[-1]
        if not isinstance(content, bytes):
            raise Unreadable("no literal")
        flags = [text_of(flag) for flag in arguments[1]] if isinstance(arguments[1], list) else []
        dates = [word for word in arguments[1:-1] if isinstance(word, str)]
        refused = self._dialect.append_refused(flags, content)
        if refused is not None:
            self._end(refused)
            return
        date = dates[0] if dates else "01-Jan-2026 00:00:00 +0000"
        uid = self._mail.append(folder, self._dialect.flags_kept(flags), date, content)
        self._ok(f"[APPENDUID {folder.uidvalidity} {uid}] {self._dialect.done}")

    def _append_target(self, name: str) -> Folder:
        try:
            return self._folder_named(name)
        except Refused as refused:
            raise Refused(f"[TRYCREATE] {str(refused).partition('] ')[2]}") from None

    def _do_uid_search(self, arguments: list[Word]) -> None:
        extended = text_of(arguments[0]).upper() == "RETURN"
        criteria = [text_of(word) for word in (arguments[2:] if extended else arguments)]
        uids = self._dialect.shown(self._opened)
        if criteria[0].upper() == "UID":
            uids = chosen(criteria[1], uids)
        elif criteria[0].upper() != "ALL":
            uids = []
        uids = self._dialect.searched(uids)
        if extended:
            results = f" ALL {as_ranges(uids)}" if uids else ""
            self._say(f'* ESEARCH (TAG "{self._tag}") UID{results}')
        else:
            self._say("* SEARCH" + "".join(f" {uid}" for uid in uids))
        self._ok()

    def _do_uid_fetch(self, arguments: list[Word]) -> None:
        folder = self._opened
        visible = self._dialect.shown(folder)
        numbers = {uid: number for number, uid in enumerate(visible, 1)}
        requested = (
            [text_of(word) for word in arguments[1]]
            if isinstance(arguments[1], list)
            else [text_of(arguments[1])]
        )
        uids = chosen(text_of(arguments[0]), visible)
        limit = self._dialect.fetch_limit()
        partial = limit is not None and len(uids) > limit
        if limit is not None and partial:
            uids = uids[-limit:]
        whole = any(item.upper() in ("BODY[]", "BODY.PEEK[]", "RFC822") for item in requested)
        for uid in self._dialect.answered(uids, requested):
            refused = self._dialect.fetch_refused(self, [folder.letters[uid]], whole=whole)
            if refused is not None:
                self._end(refused)
                return
            letter = folder.letters[uid]
            if whole:
                self._server.bodies[letter.number] += 1
            items = self._items(uid, folder, letter, requested)
            self._say(b"* %d FETCH (%s)" % (numbers[uid], b" ".join(self._dialect.ordered(items))))
        # RFC 9738 section 3.1: the lowest processed UID, counting down from the highest.
        self._ok(f"[MESSAGELIMIT {limit} {uids[0]}] partial results" if partial else "")

    def _items(self, uid: int, folder: Folder, letter: Letter, requested: Sequence[str]) -> list[bytes]:
        items = [b"UID %d" % uid]
        for item in requested:
            upper = item.upper()
            if upper == "FLAGS":
                items.append(b"FLAGS (%s)" % " ".join(sorted(letter.flags)).encode("latin-1"))
            elif upper == "INTERNALDATE":
                items.append(b'INTERNALDATE "%s"' % letter.internaldate.encode("latin-1"))
            elif upper == "RFC822.SIZE":
                items.append(b"RFC822.SIZE %d" % len(letter.content))
            elif upper in ("BODY[]", "BODY.PEEK[]"):
                if upper == "BODY[]" and not self.read_only:
                    letter.flags.add("\\Seen")
                items.append(b"BODY[] {%d}\r\n" % len(letter.content) + letter.content)
            elif fields := _HEADER_FIELDS.fullmatch(item):
                header = _header_fields(letter.content, fields[1].split())
                items.append(
                    b"BODY[HEADER.FIELDS (%s)] {%d}\r\n" % (fields[1].encode(), len(header)) + header
                )
        return items + self._dialect.more_items(requested, folder, letter)

    def _do_uid_store(self, arguments: list[Word]) -> None:
        folder = self._opened
        if self.read_only:
            raise Refused("[READ-ONLY] The folder is open for reading")
        item = text_of(arguments[1]).upper()
        flags = (
            {text_of(flag) for flag in arguments[2]}
            if isinstance(arguments[2], list)
            else {text_of(arguments[2])}
        )
        for uid in chosen(text_of(arguments[0]), self._dialect.shown(folder)):
            letter = folder.letters[uid]
            if item.startswith("+"):
                letter.flags |= flags
            elif item.startswith("-"):
                letter.flags -= flags
            else:
                letter.flags = set(flags)
        self._ok()

    def _do_expunge(self, _arguments: list[Word]) -> None:
        folder = self._opened
        deleted = [uid for uid, letter in folder.letters.items() if "\\Deleted" in letter.flags]
        self._mail.expunge(folder, deleted)
        self._ok()

    def _do_uid_expunge(self, arguments: list[Word]) -> None:
        folder = self._opened
        requested = chosen(text_of(arguments[0]), list(folder.letters))
        self._mail.expunge(folder, [uid for uid in requested if "\\Deleted" in folder.letters[uid].flags])
        self._ok()


def _header_fields(content: bytes, names: Sequence[str]) -> bytes:
    head = content.partition(b"\r\n\r\n")[0] + b"\r\n" if not content.startswith(b"\r\n") else b""
    requested = {name.lower().encode() for name in names}
    fields = re.findall(rb"(?ms)^([^\s:]+):(.*?\r\n)(?![ \t])", head)
    return b"".join(n + b":" + rest for n, rest in fields if n.lower() in requested) + b"\r\n"
