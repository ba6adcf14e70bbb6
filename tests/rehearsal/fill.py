"""Fill a mailbox fast: MULTIAPPEND (RFC 3502) with LITERAL+ (RFC 7888) over plain imaplib."""

from __future__ import annotations

import base64
import imaplib
import re
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from providers.endpoint import Endpoint, Security
from tests.rehearsal.ports import PATIENCE_S

FolderPath = tuple[str, ...]
INBOX: FolderPath = ("INBOX",)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BATCH_BYTES = 2_000_000
_BATCH_MESSAGES = 250


@dataclass(frozen=True, slots=True)
class Stored:
    """One message of a mailbox. `folder` is its path without namespace prefix and separator, `flags` holds
    system flags and keywords, `internal_date` is timezone-aware, to the second."""

    folder: FolderPath
    flags: tuple[str, ...]
    internal_date: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class Naming:
    """A server's folder naming: the prefix and separator of the personal namespace."""

    prefix: str
    separator: str

    def wire_name(self, path: FolderPath) -> str:
        """The name in modified UTF-7, quoted for a command line."""
        if path[0].upper() == "INBOX" and len(path) == 1:
            return '"INBOX"'
        name = self.prefix + self.separator.join(encode_utf7(part) for part in path)
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


_RESETS = (ConnectionResetError, imaplib.IMAP4.abort)


@retry(retry=retry_if_exception_type(_RESETS), stop=stop_after_attempt(5), wait=wait_fixed(0.5), reraise=True)
def connect(endpoint: Endpoint, login: str, password: str, ca_file: Path | None) -> imaplib.IMAP4:
    """Open a plain imaplib connection and log in. Raises imaplib.IMAP4.error or OSError.

    Tries again if a busy server resets the connection before the login.
    """
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    client: imaplib.IMAP4
    if endpoint.security is Security.TLS:
        client = imaplib.IMAP4_SSL(endpoint.host, endpoint.port, ssl_context=context, timeout=PATIENCE_S)
    else:
        client = imaplib.IMAP4(endpoint.host, endpoint.port, timeout=PATIENCE_S)
        if endpoint.security is Security.STARTTLS:
            client.starttls(context)
    client.login(login, password)
    client.capability()
    return client


def naming_of(client: imaplib.IMAP4) -> Naming:
    """Query NAMESPACE (RFC 2342) or, where it is not supported, LIST for the separator."""
    if "NAMESPACE" in capabilities(client):
        answer = client.namespace()[1][0]
        if isinstance(answer, bytes) and (found := re.match(rb'\(\("([^"]*)" "(.)"\)', answer)):
            return Naming(found[1].decode("ascii"), found[2].decode("ascii"))
    root = client.list('""', '""')[1][0]
    separator = re.search(rb'\) "(.)" ', root) if isinstance(root, bytes) else None
    return Naming("", separator[1].decode("ascii") if separator else "/")


def capabilities(client: imaplib.IMAP4) -> frozenset[str]:
    """The capabilities after login, in upper case."""
    return frozenset(client.capability()[1][0].decode("ascii").upper().split())


def fill(
    endpoint: Endpoint,
    login: str,
    password: str,
    messages: Iterable[Stored],
    *,
    ca_file: Path | None = None,
    folders: Iterable[FolderPath] = (),
) -> int:
    """Append `messages` in order, reading them lazily; create and subscribe their folders and `folders`.

    Returns the number of appended messages. Raises imaplib.IMAP4.error if the server refuses one.
    """
    client = connect(endpoint, login, password, ca_file)
    try:
        naming = naming_of(client)
        created: set[FolderPath] = set()
        for path in folders:
            _make(client, naming, path, created)
        batched = {"MULTIAPPEND", "LITERAL+"} <= capabilities(client)
        count = 0
        batch: list[Stored] = []
        room = _BATCH_BYTES
        for message in messages:
            full = len(batch) == (_BATCH_MESSAGES if batched else 1) or room <= 0
            if batch and (full or message.folder != batch[0].folder):
                _append(client, naming, batch, batched=batched)
                batch, room = [], _BATCH_BYTES
            _make(client, naming, message.folder, created)
            batch.append(message)
            room -= len(message.content)
            count += 1
        if batch:
            _append(client, naming, batch, batched=batched)
        return count
    finally:
        client.logout()


def _make(client: imaplib.IMAP4, naming: Naming, path: FolderPath, created: set[FolderPath]) -> None:
    if path in created:
        return
    created.add(path)
    name = naming.wire_name(path)
    if path != INBOX and client.status(name, "(UIDNEXT)")[0] != "OK":
        _must(client.create(name))
    _must(client.subscribe(name))


def _append(client: imaplib.IMAP4, naming: Naming, batch: list[Stored], *, batched: bool) -> None:
    name = naming.wire_name(batch[0].folder)
    if not batched:
        (message,) = batch
        _must(
            client.append(
                name, f"({' '.join(message.flags)})", f'"{date_text(message.internal_date)}"', message.content
            )
        )
        return
    tag = client._new_tag()
    pieces = [tag, b" APPEND ", name.encode("ascii")]
    for message in batch:
        head = (
            f' ({" ".join(message.flags)}) "{date_text(message.internal_date)}" {{{len(message.content)}+}}'
        )
        pieces += (head.encode("ascii"), b"\r\n", message.content)
    client.send(b"".join((*pieces, b"\r\n")))
    _must(client._command_complete("APPEND", tag))


def _must(answer: tuple[str, Sequence[object]]) -> None:
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(f"the server refused: {answer[1]!r}")


def date_text(date: datetime) -> str:
    """RFC 9051 `date-time` without its quotes: `01-Feb-1998 03:04:05 +0100`."""
    month = _MONTHS[date.month - 1]
    return f"{date.day:02}-{month}-{date.year:04} {date:%H:%M:%S} {date:%z}"


def encode_utf7(name: str) -> str:
    """A folder name in modified UTF-7 (RFC 3501 section 5.1.3)."""

    def shifted(run: re.Match[str]) -> str:
        packed = base64.b64encode(run[0].encode("utf-16-be")).decode("ascii")
        return "&" + packed.rstrip("=").replace("/", ",") + "-"

    return re.sub(r"[^\x20-\x7e]+", shifted, name.replace("&", "&-"))


def decode_utf7(name: str) -> str:
    """The inverse of `encode_utf7`."""

    def unshifted(run: re.Match[str]) -> str:
        if not run[1]:
            return "&"
        packed = run[1].replace(",", "/")
        return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-16-be")

    return re.sub(r"&([^-]*)-", unshifted, name)
