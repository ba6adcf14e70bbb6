"""Bounds of the mails that one person can cause to others; each bound that is reached is logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from importer.domain.model import Batch, Import
from importer.domain.people.identities import RateLimit
from importer.ports.notices import Notice
from importer.service.access.rate_limits import RateLimited, consume
from importer.service.deps import Deps

_DAY_S: Final = 86_400

MAILS_PER_PERSON: Final = RateLimit(100, _DAY_S)
MAILS_PER_DOMAIN: Final = RateLimit(200, _DAY_S)
"""Mails to one domain that all people of the installation together cause, but for its own domain."""

log = structlog.get_logger()


def within_bounds(
    deps: Deps, batch: Batch | None, import_: Import, notices: Sequence[Notice]
) -> list[Notice]:
    """The notices that may be sent. Those to the submitter, and those of trusted submitters, always may.
    A mail that was posted before is not sent again, and not counted again."""
    if batch is None or batch.is_trusted:
        return [*notices]
    submitter = import_.submitter.casefold()
    posted = {notice.key for notice in deps.store.notices(f"import:{import_.id}:")}
    return [
        notice
        for notice in notices
        if notice.key not in posted
        and (notice.recipient.casefold() == submitter or _counts(deps, batch, import_, notice))
    ]


def _counts(deps: Deps, batch: Batch, import_: Import, notice: Notice) -> bool:
    """Count the mail. False if a bound is reached."""
    domain = notice.recipient.rpartition("@")[2].lower()
    keys = {f"mail:person:{batch.owner}": MAILS_PER_PERSON}
    if domain != import_.destination.address.rpartition("@")[2].lower():
        keys[f"mail:domain:{domain}"] = MAILS_PER_DOMAIN
    try:
        consume(deps, keys)
    except RateLimited:
        log.warning("mail.limited", import_id=import_.id, recipient=notice.recipient)
        return False
    return True
