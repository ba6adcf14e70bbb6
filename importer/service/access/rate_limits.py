"""How often something may be tried, so that no form of ours can be used to find out passwords."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Account
from importer.domain.people.api_tokens import ApiToken
from importer.domain.people.identities import PersonId, RateLimit
from importer.service.deps import Deps
from providers.endpoint import Secret

_MINUTE_S: Final = 60
_QUARTER_HOUR_S: Final = 900
_DAY_S: Final = 86_400

PER_ACCOUNT_AND_CLIENT: Final = RateLimit(5, _QUARTER_HOUR_S)
PER_ACCOUNT: Final = RateLimit(15, _QUARTER_HOUR_S)
"""More than the above: whoever tries from one place must not lock the owner out everywhere."""

PER_CLIENT: Final = RateLimit(60, _QUARTER_HOUR_S)
PER_PERSON: Final = RateLimit(60, _QUARTER_HOUR_S)
PER_HOST: Final = RateLimit(300, _QUARTER_HOUR_S)
"""Of a host that strangers name: we are not to be the way in which somebody tries passwords there. The host
that people sign in with has none, since whoever used it up would lock everybody out: its mailboxes and the
clients have theirs."""

ROWS_PER_PERSON: Final = RateLimit(100, _QUARTER_HOUR_S)
"""Logins that imports are started with and that nobody has verified: two files of 25 rows."""

LOOKUPS_PER_PERSON: Final = RateLimit(100, _QUARTER_HOUR_S)
"""Domains whose server is looked for: each has us ask a dozen machines that somebody else chose."""

STARTS_PER_PERSON: Final = RateLimit(500, _DAY_S)
CONSENT_REQUESTS_PER_PERSON: Final = RateLimit(50, _DAY_S)
"""Owners who get a mail that asks them to sign in: nobody can have us write to the whole world."""


class RateLimited(Exception):
    """Tried too often; `seconds` is the longest that one has to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many tries; wait {seconds} seconds")
        self.seconds = seconds


def login_keys(account: Account, client: str, person: PersonId, *, ours: bool) -> Mapping[str, RateLimit]:
    """What one try at a login counts against, in the order in which it is counted: what is refused for one
    client does not count against the account. `client` is the network address it comes from; `ours`: at the
    host that people sign in with."""
    by_person = {f"login:person:{person}": PER_PERSON} if person else {}
    return by_person | _keys_of_a_guess(account, client, ours=ours)


def _keys_of_a_guess(account: Account, client: str, *, ours: bool) -> dict[str, RateLimit]:
    place = client_network(client)
    keys = {
        f"login:client:{place}": PER_CLIENT,
        f"login:account-client:{account.key}:{place}": PER_ACCOUNT_AND_CLIENT,
        f"login:account:{account.key}": PER_ACCOUNT,
    }
    host = account.endpoint.host.lower().rstrip(".")
    return keys if ours else keys | {f"login:host:{host}": PER_HOST}


def client_network(client: str) -> str:
    """What counts as one client: an IPv4 address, or the 64 bits of an IPv6 address that its network gives;
    the other 64 are for whoever is there to choose (RFC 4291 section 2.5.4)."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def consume(deps: Deps, keys: Mapping[str, RateLimit]) -> None:
    """Counts one try under each key. Raises RateLimited when there were too many under one of them."""
    now = deps.clock.now()
    for key, most in keys.items():
        if deps.store.count(key, now, timedelta(seconds=most.seconds)) > most.tries:
            raise RateLimited(most.seconds)


def consume_rows(
    deps: Deps,
    rows: Sequence[Row],
    *,
    client: str,
    person: PersonId,
    verified: Collection[tuple[str, Secret]],
) -> None:
    """Counts imports that a person is about to start. Raises RateLimited; then none may be started.

    A worker will try each password that is not `verified` (Account.key, password) for that person, and tell
    what came of it: that is a try like any other.
    """
    place = client_network(client)
    given = [(row.source, row.source_password) for row in rows]
    given += [(row.destination, row.destination_password) for row in rows]
    logins = {(account.key, secret) for account, secret in given if secret is not None}
    for key, _ in logins - set(verified):
        consume(
            deps,
            {
                f"rows:person:{person}": ROWS_PER_PERSON,
                f"login:account-client:{key}:{place}": PER_ACCOUNT_AND_CLIENT,
                f"login:account:{key}": PER_ACCOUNT,
            },
        )
    for row in rows:
        consume(deps, {f"starts:person:{person}": STARTS_PER_PERSON})
        asked = (
            row.source_password is None and row.source_sign_in,
            row.destination_password is None and row.destination_sign_in,
        )
        for _ in filter(None, asked):
            consume(deps, {f"asked:person:{person}": CONSENT_REQUESTS_PER_PERSON})


def refund(deps: Deps, account: Account, client: str, *, ours: bool) -> None:
    """A login that succeeded was no guess: a whole office may sign in from one address."""
    refund_keys(deps, _keys_of_a_guess(account, client, ours=ours))


def consume_call(deps: Deps, token: ApiToken, per_minute: int) -> None:
    """Counts one API call. Raises RateLimited."""
    consume(deps, {f"api:{token.id}": RateLimit(per_minute, _MINUTE_S)})


def token_login_keys(account: Account, client: str) -> dict[str, RateLimit]:
    """What a login by the API counts against: it comes from a program, not from an address."""
    return {
        f"login:account-client:{account.key}:{client}": PER_ACCOUNT_AND_CLIENT,
        f"login:account:{account.key}": PER_ACCOUNT,
    }


def refund_keys(deps: Deps, keys: Collection[str]) -> None:
    """Takes back one try under each key."""
    for key in keys:
        deps.store.uncount(key)
