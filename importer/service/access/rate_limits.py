"""Rate limits, so that no form or API call can be used to guess passwords."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final

from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Account
from importer.domain.people.api_tokens import ApiToken
from importer.domain.people.identities import PersonId, RateLimit
from importer.service.access.audit import record_limit
from importer.service.access.client_networks import client_network
from importer.service.deps import Deps
from providers.endpoint import Secret

_MINUTE_S: Final = 60
_QUARTER_HOUR_S: Final = 900
_DAY_S: Final = 86_400

PER_ACCOUNT_AND_CLIENT: Final = RateLimit(5, _QUARTER_HOUR_S)
PER_CLIENT: Final = RateLimit(60, _QUARTER_HOUR_S)

PER_TOKEN: Final = RateLimit(150, _QUARTER_HOUR_S)
"""Failed logins of one API client, at all mailboxes."""

ROWS_PER_PERSON: Final = RateLimit(200, _QUARTER_HOUR_S)
"""Unverified logins in submitted rows: one file of 100 rows, as many as the pages take."""

LOOKUPS_PER_PERSON: Final = RateLimit(100, _QUARTER_HOUR_S)
"""Domains to discover: each causes requests to a dozen servers that the domain's owner chose."""

CONSENT_REQUESTS_PER_PERSON: Final = RateLimit(50, _DAY_S)
"""Owners who are mailed a sign-in request, so that Mailhaul cannot be used to send bulk mail."""


class RateLimited(Exception):
    """Too many attempts; wait at most `seconds` before the next."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many tries; wait {seconds} seconds")
        self.seconds = seconds


class StartsLimited(RateLimited):
    """The customer's quota of imports in 24 hours, `most`, is used up."""

    def __init__(self, seconds: int, most: int) -> None:
        super().__init__(seconds)
        self.most = most


class LookupsLimited(RateLimited):
    """Too many domains were looked up."""


def consume(deps: Deps, keys: Mapping[str, RateLimit]) -> None:
    """Count one attempt under each key. Raises RateLimited at the first key whose limit is exceeded."""
    now = deps.clock.now()
    for key, limit in keys.items():
        number = deps.store.count(key, now, timedelta(seconds=limit.seconds))
        if number == limit.tries + 1:  # the first that is refused; the others would say nothing new
            record_limit(deps, key)
        if number > limit.tries:
            raise RateLimited(limit.seconds)


def consume_rows(
    deps: Deps,
    rows: Sequence[Row],
    *,
    client: str,
    person: PersonId,
    verified: Collection[tuple[str, Secret]],
) -> None:
    """Count the imports that a person is about to start. Raises RateLimited; then none may be started.

    Passwords that are not in `verified`, pairs of (Account.key, password), count as login attempts: a worker
    will try them and report the result to the person.
    """
    network = client_network(client)
    entered = [(row.source, row.source_password) for row in rows]
    entered += [(row.destination, row.destination_password) for row in rows]
    logins = {(account.key, secret) for account, secret in entered if secret is not None}
    for key, _ in logins - set(verified):
        consume(
            deps,
            {
                f"rows:person:{person}": ROWS_PER_PERSON,
                f"rows:account-client:{key}:{network}": PER_ACCOUNT_AND_CLIENT,
                f"rows:account-person:{key}:{person}": PER_ACCOUNT_AND_CLIENT,
            },
        )
    consume_starts(deps, person, len(rows), deps.quotas.person_starts)
    for row in rows:
        consents_needed = (
            row.source_password is None and row.source_sign_in,
            row.destination_password is None and row.destination_sign_in,
        )
        for _ in filter(None, consents_needed):
            consume(deps, {f"asked:person:{person}": CONSENT_REQUESTS_PER_PERSON})


def consume_starts(deps: Deps, owner: PersonId, number: int, most: int | None) -> None:
    """Count so many imports that a customer is about to start.

    Raises StartsLimited if that is more than `most` in 24 hours (None: no limit); then none is counted.
    """
    if most is None:
        return
    key = f"starts:person:{owner}"
    for counted in range(1, number + 1):
        try:
            consume(deps, {key: RateLimit(most, _DAY_S)})
        except RateLimited as limited:
            for _ in range(counted):
                deps.store.uncount(key)
            raise StartsLimited(limited.seconds, most) from None


def consume_call(deps: Deps, token: ApiToken, per_minute: int) -> None:
    """Count one API call. Raises RateLimited."""
    consume(deps, {f"api:{token.id}": RateLimit(per_minute, _MINUTE_S)})


def token_login_keys(account: Account, client: str) -> dict[str, RateLimit]:
    """The limits that a login through the API counts against; `client` is the API client, not an address.
    They are the client's own: its failures do not lock the owner out."""
    return {
        f"login:token:{client}": PER_TOKEN,
        f"login:account-client:{account.key}:{client}": PER_ACCOUNT_AND_CLIENT,
    }


def refund_keys(deps: Deps, keys: Collection[str]) -> None:
    """Uncount one attempt under each key."""
    for key in keys:
        deps.store.uncount(key)
