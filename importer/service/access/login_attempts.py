"""Login attempts are limited, so that no form can be used to guess passwords.

Invariant: failures of strangers do not lock an owner out. A browser in which the mailbox has signed in before
has a limit of its own; in another browser, the owner waits ten seconds once strangers have used up the
mailbox's attempts.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Final

from importer.domain.model import Account
from importer.domain.people.identities import NO_PERSON, PersonId, RateLimit
from importer.domain.planning.server_limits import MAX_LOGIN_S
from importer.ports.mailbox import MailboxReader
from importer.ports.vault import VaultError
from importer.ports.work_limit import WorkEnded, WorkLimit
from importer.service.access.client_networks import client_network
from importer.service.access.rate_limits import (
    PER_ACCOUNT_AND_CLIENT,
    PER_CLIENT,
    RateLimited,
    consume,
    refund_keys,
)
from importer.service.deps import Deps
from providers.endpoint import Secret
from providers.errors import ServerTooSlow, Side
from providers.frozen import frozen
from providers.grants import Credential
from providers.text import Text

_QUARTER_HOUR_S: Final = 900

PER_ACCOUNT: Final = RateLimit(15, _QUARTER_HOUR_S)
"""Higher than the limit per client. More attempts are delayed."""

PER_DELAYED_ACCOUNT: Final = RateLimit(60, _QUARTER_HOUR_S)
"""Delayed attempts at one mailbox, from however many networks; more are refused."""

DELAY: Final = timedelta(seconds=10)
_DELAY_REMEMBERED: Final = timedelta(minutes=2)

PER_KNOWN_BROWSER: Final = RateLimit(10, _QUARTER_HOUR_S)
PER_PERSON: Final = RateLimit(60, _QUARTER_HOUR_S)
PER_HOST: Final = RateLimit(300, _QUARTER_HOUR_S)
"""For hosts that users name, so that Mailhaul cannot be used to guess passwords there. The host that people
sign in with has no such limit, because one client could use it up and lock everyone out; the limits by
mailbox and by client apply to it."""

_KNOWN_ACCOUNTS: Final = 5
_KNOWN_CONTEXT: Final = "known browser"


@frozen
class LoginOrigin:
    """The origin of a login: the client's network address, the person who is signed in already, and the id
    of the browser if the mailbox has signed in there before (`known_browser`)."""

    client: str
    person: PersonId = NO_PERSON
    browser: str = ""


def count_login(deps: Deps, account: Account, origin: LoginOrigin, *, own_host: bool) -> None:
    """Count one attempt. `own_host` is set at the host that people sign in with. Raises RateLimited."""
    keys = _keys(account, origin, own_host=own_host)
    if origin.person and not origin.browser:
        consume(deps, {f"login:person:{origin.person}": PER_PERSON})
    consume(deps, keys)
    if origin.browser:
        return
    span = timedelta(seconds=PER_ACCOUNT.seconds)
    if deps.store.count(_account_key(account), deps.clock.now(), span) > PER_ACCOUNT.tries:
        try:
            _delay(deps, account, client_network(origin.client))
        except RateLimited:
            refund_keys(deps, keys)  # nothing was tried
            raise


def refund_login(deps: Deps, account: Account, origin: LoginOrigin, *, own_host: bool) -> None:
    """Uncount a successful login: it was no guess, and a whole office may sign in from one address."""
    refund_keys(deps, _keys(account, origin, own_host=own_host))
    if not origin.browser:
        refund_keys(deps, [_account_key(account)])


def _keys(account: Account, origin: LoginOrigin, *, own_host: bool) -> Mapping[str, RateLimit]:
    """In counting order: counting stops at the first exceeded limit, so an attempt that is refused for its
    client does not count against the account."""
    if origin.browser:
        return {f"login:known:{origin.browser}:{account.key}": PER_KNOWN_BROWSER}
    network = client_network(origin.client)
    keys = {
        f"login:client:{network}": PER_CLIENT,
        f"login:account-client:{account.key}:{network}": PER_ACCOUNT_AND_CLIENT,
    }
    host = account.endpoint.host.lower().rstrip(".")
    return keys if own_host else keys | {f"login:host:{host}": PER_HOST}


def _account_key(account: Account) -> str:
    return f"login:account:{account.key}"


def _delay(deps: Deps, account: Account, network: str) -> None:
    """Raises RateLimited unless the network asks again after DELAY, and within _DELAY_REMEMBERED."""
    now, key = deps.clock.now(), f"{account.key}:{network}"
    asked_before = deps.store.count(f"login:delayed:{key}", now, _DELAY_REMEMBERED) > 1
    too_soon = deps.store.count(f"login:delay:{key}", now, DELAY) > 1
    if too_soon or not asked_before:
        raise RateLimited(int(DELAY.total_seconds()))
    consume(deps, {f"login:late:{account.key}": PER_DELAYED_ACCOUNT})


# --- Browsers in which a mailbox has signed in before ---------------------------------------------


def known_browser(deps: Deps, cookie: str, account: Account) -> str:
    """The id of the browser with that cookie if this mailbox has signed in there before, else ""."""
    id_, keys = _read(deps, cookie)
    return id_ if account.key in keys else ""


def remember_browser(deps: Deps, cookie: str, account: Account) -> str:
    """The cookie of a browser in which this mailbox has just signed in, sealed by the vault."""
    id_, keys = _read(deps, cookie)
    keys = [account.key, *(key for key in keys if key != account.key)][:_KNOWN_ACCOUNTS]
    text = json.dumps([id_ or secrets.token_urlsafe(12), keys])
    return deps.vault.seal(Secret(text), _KNOWN_CONTEXT).decode("ascii")


def _read(deps: Deps, cookie: str) -> tuple[str, list[str]]:
    if not cookie:
        return "", []
    try:
        sealed = cookie.encode("ascii")
        id_, keys = json.loads(deps.vault.open(sealed, _KNOWN_CONTEXT).reveal())
    except (VaultError, ValueError):
        return "", []
    return id_, keys


def try_login(deps: Deps, account: Account, credential: Credential, side: Side, origin: LoginOrigin) -> bool:
    """Log in to the mailbox and out again; return whether it has labels.

    Raises RateLimited, or any MailError of scope session or account.
    """
    own_host = side is Side.DESTINATION
    count_login(deps, account, origin, own_host=own_host)
    limit = WorkLimit(MAX_LOGIN_S)
    try:
        mailbox: MailboxReader
        if side is Side.SOURCE:
            mailbox = deps.sessions.open_source(public_only_account(account), credential, limit=limit)
        else:
            mailbox = deps.sessions.open_destination(account, credential, limit)
        with closing(mailbox):
            has_labels = mailbox.has_labels()
    except WorkEnded:
        raise ServerTooSlow(Text("server_too_slow", host=account.endpoint.host), side=side) from None
    refund_login(deps, account, origin, own_host=own_host)
    return has_labels


def public_only_account(account: Account) -> Account:
    """The same account, restricted to public servers: for accounts that users name."""
    return replace(account, public_only=True)
