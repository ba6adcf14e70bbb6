"""How much is there, and how much more may be: STATUS=SIZE (RFC 8438) and QUOTA (RFC 9208)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from importer.adapters.imap import folder_commands
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire import LiteralData, Value, WireError, WireEvent
from importer.domain.model import Quota

_STORAGE_UNIT_BYTES = 1024
"""RFC 9208 section 5.1: STORAGE counts in units of 1024 octets."""


def folder_bytes(
    link: ReconnectingConnection, connection: Connection, folders: Sequence[str]
) -> dict[str, int]:
    """The size of each folder that the server tells; {} where it does not tell sizes."""
    if not connection.has("STATUS=SIZE"):
        return {}
    if link.opened is not None and link.opened.folder in folders:
        link.leave_folder(connection)
    found: dict[str, int] = {}
    for at in range(0, len(folders), folder_commands.PIPELINED):
        some = folders[at : at + folder_commands.PIPELINED]
        for folder, answer in folder_commands.status_at_once(link, connection, some, b"(SIZE)").items():
            size_bytes = folder_commands.status_numbers(answer).get(b"SIZE")
            if size_bytes is not None:
                found[folder] = size_bytes
    return found


def quota(link: ReconnectingConnection, connection: Connection) -> Quota | None:
    """GETQUOTAROOT of INBOX. A server that offers QUOTA and refuses to tell has none for us."""
    if not any(capability.partition("=")[0] == "QUOTA" for capability in connection.capabilities):
        return None
    try:
        answer = connection.call(b"GETQUOTAROOT INBOX")
    except CommandRefused:
        return None
    return _tightest(list(_resources(answer.events)))


def _resources(events: Iterable[WireEvent]) -> Iterable[tuple[bytes, int, int]]:
    """(resource, used, limit) of each QUOTA answer, in the units of the server."""
    for event in events:
        if not isinstance(event, LiteralData) or event.name != "QUOTA":
            continue
        try:
            values = event.values()
        except WireError:  # some servers write root names that nobody can read
            continue
        listed = values[-1] if values else None
        if isinstance(listed, tuple):
            for name, used, limit in zip(listed[::3], listed[1::3], listed[2::3], strict=False):
                if isinstance(name, bytes) and _is_number(used) and _is_number(limit):
                    yield name.upper(), int(used), int(limit)  # type: ignore[arg-type]


def _is_number(value: Value) -> bool:
    return isinstance(value, bytes) and value.isdigit()


def _tightest(resources: Sequence[tuple[bytes, int, int]]) -> Quota | None:
    """Of several limits on the same resource, the one with the least room."""
    found: dict[bytes, tuple[int, int]] = {}
    for name, used, limit in resources:
        if name not in found or limit - used < found[name][1] - found[name][0]:
            found[name] = (used, limit)
    if not found.keys() & {b"STORAGE", b"MESSAGE"}:
        return None
    quota = Quota()
    if b"STORAGE" in found:
        used, limit = found[b"STORAGE"]
        quota = Quota(used * _STORAGE_UNIT_BYTES, limit * _STORAGE_UNIT_BYTES)
    if b"MESSAGE" in found:
        used, limit = found[b"MESSAGE"]
        quota = replace(quota, used_messages=used, limit_messages=limit)
    return quota
