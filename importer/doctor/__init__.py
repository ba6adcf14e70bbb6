"""Checks an installation by using each part, and reports each problem with its fix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from importer.doctor.certificate_checks import check_certificates
from importer.doctor.finding import Finding, Health
from importer.doctor.mail_checks import check_destination, check_mail, check_outbox
from importer.doctor.storage_checks import check_database, check_disk, check_key, check_queue
from importer.doctor.worker_checks import check_workers
from importer.settings import Settings

__all__ = ["PARTS", "Finding", "Health", "examine"]


def examine(settings: Settings, only: Collection[str] = ()) -> list[Finding]:
    """Checks all PARTS, or those in `only`: database, disk, queue, workers, key, mail server, outbox,
    destination, certificates.

    Sends no mail and logs in to no mailbox.
    """
    return [finding for part in only or PARTS for finding in _CHECKS[part](settings)]


_CHECKS: Final[dict[str, Callable[[Settings], Iterator[Finding]]]] = {
    "database": check_database,
    "disk": check_disk,
    "queue": check_queue,
    "workers": check_workers,
    "key": check_key,
    "mail": check_mail,
    "outbox": check_outbox,
    "destination": check_destination,
    "certificates": check_certificates,
}
PARTS: Final = tuple(_CHECKS)
