"""Read a whole mailbox with plain imaplib, for the independent checker."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from importer.domain.model import Account
from tests.rehearsal.fill import INBOX, FolderPath, connect, decode_utf7, naming_of

_CHUNK = 300  # messages per FETCH


class CheckerError(RuntimeError):
    """A mailbox could not be read completely, so that it cannot be checked."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of a mailbox. `date` has the zone sent by the server."""

    digest: str  # sha256 of the bytes, hexadecimal
    flags: frozenset[str]  # without \\Recent, lower case: flags are case-insensitive (RFC 9051 section 2.3.2)
    date: datetime
    size: int
    message_id: str
    subject: str

    def __str__(self) -> str:
        return f"“{self.subject}” {self.message_id or '(no Message-ID)'} {self.size} bytes {self.digest[:12]}"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A whole mailbox: all selectable folders with their messages in UID order."""

    folders: Mapping[FolderPath, Sequence[Seen]]
    subscribed: frozenset[FolderPath]

    def count(self) -> int:
        """The number of messages."""
        return sum(map(len, self.folders.values()))


def read_mailbox(account: Account, password: str, ca_file: Path | None = None) -> Mailbox:
    """Read all messages of all folders. Raises CheckerError, imaplib.IMAP4.error or OSError."""
    client = connect(account.endpoint, account.login, password, ca_file)
    try:
        naming = naming_of(client)

        def path_of(name: str) -> FolderPath:
            if name.upper() == "INBOX":
                return INBOX
            inside = name.removeprefix(naming.prefix)
            return tuple(decode_utf7(part) for part in inside.split(naming.separator))

        subscribed = frozenset(path_of(name) for _, name in _listed(client.lsub()[1]))
        names = folder_names(client)
        return Mailbox(
            {path_of(name): list(read_folder(client, name).values()) for name in names}, subscribed
        )
    finally:
        client.logout()


def folder_names(client: imaplib.IMAP4) -> list[str]:
    """The names of the folders that can hold mail, as the server writes them."""
    return [name for attributes, name in _listed(client.list()[1]) if "\\noselect" not in attributes]


def read_folder(client: imaplib.IMAP4, name: str) -> dict[int, Seen]:
    """The messages of one folder by UID, in that order; the folder stays open. Raises CheckerError."""
    return dict(_messages(client, name))


def _listed(lines: Sequence[object]) -> Iterator[tuple[str, str]]:
    """(attributes in lower case, folder name) of LIST and LSUB responses."""
    for line in lines:
        if line is None:
            continue
        head, literal = line if isinstance(line, tuple) else (line, None)
        match = re.match(rb'\(([^)]*)\) (?:"(?:\\?.)"|NIL) (.*)$', head)
        if match is None:
            if line == b"":  # the rest of a line that ended in a literal
                continue
            raise CheckerError(f"cannot read the folder list: {line!r}")
        name = literal if literal is not None else match[2]
        if literal is None and name.startswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        yield match[1].decode("ascii").lower(), name.decode("ascii")


def _messages(client: imaplib.IMAP4, name: str) -> Iterator[tuple[int, Seen]]:
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    kind, answer = client.select(quoted, readonly=True)
    if kind != "OK" or not answer[0]:
        raise CheckerError(f"cannot open {name}: {answer!r}")
    uids = client.uid("SEARCH", "ALL")[1][0].split()
    if len(uids) != int(answer[0]):
        raise CheckerError(f"{name} says it holds {int(answer[0])} messages and lists {len(uids)}")
    for start in range(0, len(uids), _CHUNK):
        chunk = uids[start : start + _CHUNK]
        messages = dict(_fetched(client, chunk))
        if missing := [uid for uid in chunk if int(uid) not in messages]:
            raise CheckerError(f"{name}: the server did not hand out UID {missing[0].decode()}")
        yield from ((int(uid), messages[int(uid)]) for uid in chunk)


def _fetched(client: imaplib.IMAP4, uids: Sequence[bytes]) -> Iterator[tuple[int, Seen]]:
    # The range is safe to fetch: between its ends are only UIDs that SEARCH listed.
    span = f"{uids[0].decode()}:{uids[-1].decode()}"
    kind, parts = client.uid("FETCH", span, "(UID FLAGS INTERNALDATE BODY.PEEK[])")
    if kind != "OK":
        raise CheckerError(f"FETCH {span}: {parts!r}")
    for index, part in enumerate(parts):
        if not isinstance(part, tuple):
            continue
        tail = parts[index + 1] if index + 1 < len(parts) and isinstance(parts[index + 1], bytes) else b""
        line = part[0] + b" " + tail
        uid = re.search(rb"\bUID (\d+)", line)
        flags = re.search(rb"\bFLAGS \(([^)]*)\)", line)
        date = re.search(rb'\bINTERNALDATE "([^"]+)"', line)
        if uid is None or flags is None or date is None:
            raise CheckerError(f"the server left something out: {line!r}")
        yield int(uid[1]), _seen(flags[1].decode("ascii"), date[1].decode("ascii"), part[1])


def _seen(flags: str, date: str, content: bytes) -> Seen:
    head = content[:65536].split(b"\r\n\r\n", 1)[0]
    return Seen(
        digest=sha256(content).hexdigest(),
        flags=frozenset(flags.lower().split()) - {"\\recent"},
        date=datetime.strptime(date.strip(), "%d-%b-%Y %H:%M:%S %z"),
        size=len(content),
        message_id=header_of(head, b"message-id"),
        subject=header_of(head, b"subject"),
    )


def header_of(head: bytes, name: bytes) -> str:
    """The first line of that header field, or "" if it is missing. `name` is case-insensitive."""
    match = re.search(rb"(?im)^" + name + rb":[ \t]*(.*?)\r?$", head)
    return match[1].decode("utf-8", "replace") if match else ""
