"""Implements `Prober` (providers/discovery.py): does an IMAP server answer there that proves its name?"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from importer.adapters.egress_guard import EgressGuard
from importer.adapters.imap.connection import probe
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.response_errors import Peer
from providers.endpoint import Endpoint
from providers.errors import MailError, Side


class ImapProber:
    """Connects and encrypts, once, through the guard; logs in nowhere."""

    def __init__(self, guard: EgressGuard, tls: ssl.SSLContext, timeouts: Timeouts) -> None:
        self._guard = guard
        self._tls = tls
        self._timeouts = timeouts

    def answers(self, endpoint: Endpoint) -> bool:
        peer = Peer(endpoint, Side.SOURCE, lambda: datetime.now(UTC), self._guard.connect)
        try:
            probe(peer, lambda: self._tls, self._timeouts, tries=1)
        except MailError:
            return False
        return True
