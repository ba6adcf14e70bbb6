"""Sizes of folders and quotas: STATUS=SIZE (RFC 8438) and QUOTA (RFC 9208)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from importer.adapters.imap import folder_status
from importer.adapters.imap.connection import MAX_PIPELINED, Connection
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire_events import LiteralData, WireEvent
from importer.adapters.imap.wire_values import Value, WireError
from importer.domain.mailbox_content import Quota

_STORAGE_UNIT_BYTES = 1024
"""RFC 9208 section 5.1: STORAGE counts in units of 1024 octets."""


def folder_bytes(cursor: FolderCursor, connection: Connection, folders: Sequence[str]) -> dict[str, int]:
    """Return the size of each folder for which the server reports one; {} if it does not support sizes."""
    if not connection.has("STATUS=SIZE"):
        return {}
    cursor.unselect_any(connection, folders)
    sizes: dict[str, int] = {}
    for start in range(0, len(folders), MAX_PIPELINED):
        batch = folders[start : start + MAX_PIPELINED]
        for folder, data in folder_status.pipelined_status(cursor, connection, batch, b"(SIZE)").items():
            size_bytes = folder_status.status_numbers(data).get(b"SIZE")
            if size_bytes is not None:
                sizes[folder] = size_bytes
    return sizes


def quota(cursor: FolderCursor, connection: Connection) -> Quota | None:
    """Return the quota of INBOX (GETQUOTAROOT). A server that offers QUOTA but refuses the command has
    none."""
    if not any(capability.partition("=")[0] == "QUOTA" for capability in connection.capabilities):
        return None
    try:
        answer = connection.call(b"GETQUOTAROOT INBOX")
    except CommandRefused:
        return None
    return _tightest(list(_resources(answer.events)))


def _resources(events: Iterable[WireEvent]) -> Iterable[tuple[bytes, int, int]]:
    """Yield (resource, used, limit) of each QUOTA response, in the units of the server."""
    for event in events:
        if not isinstance(event, LiteralData) or event.name != "QUOTA":
            continue
        try:
            values = event.values()
        except WireError:  # some servers send malformed root names
            continue
        resources = values[-1] if values else None
        if isinstance(resources, tuple):
            for name, used, limit in zip(resources[::3], resources[1::3], resources[2::3], strict=False):
                if isinstance(name, bytes) and _is_number(used) and _is_number(limit):
                    yield name.upper(), int(used), int(limit)  # type: ignore[arg-type]


def _is_number(value: Value) -> bool:
    return isinstance(value, bytes) and value.isdigit()


def _tightest(resources: Sequence[tuple[bytes, int, int]]) -> Quota | None:
    """Return the quota; of several limits on the same resource, the one with the least room counts."""
    tightest: dict[bytes, tuple[int, int]] = {}
    for name, used, limit in resources:
        if name not in tightest or limit - used < tightest[name][1] - tightest[name][0]:
            tightest[name] = (used, limit)
    if not tightest.keys() & {b"STORAGE", b"MESSAGE"}:
        return None
    quota = Quota()
    if b"STORAGE" in tightest:
        used, limit = tightest[b"STORAGE"]
        quota = Quota(used * _STORAGE_UNIT_BYTES, limit * _STORAGE_UNIT_BYTES)
    if b"MESSAGE" in tightest:
        used, limit = tightest[b"MESSAGE"]
        quota = replace(quota, used_messages=used, limit_messages=limit)
    return quota
