"""How often something may be tried, so that no form of ours can be used to find out passwords."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from importer.domain.access import MostTries, PersonId
from importer.domain.model import Account
from importer.service.deps import Deps

_QUARTER_HOUR_S: Final = 900

PER_ACCOUNT_AND_CLIENT: Final = MostTries(5, _QUARTER_HOUR_S)
PER_ACCOUNT: Final = MostTries(15, _QUARTER_HOUR_S)
"""More than the above: whoever tries from one place must not lock the owner out everywhere."""

PER_CLIENT: Final = MostTries(60, _QUARTER_HOUR_S)
PER_PERSON: Final = MostTries(60, _QUARTER_HOUR_S)
PER_HOST: Final = MostTries(300, _QUARTER_HOUR_S)


class TooManyTries(Exception):
    """Tried too often; `seconds` is the longest that one has to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many tries; wait {seconds} seconds")
        self.seconds = seconds


def login_keys(account: Account, client: str, person: PersonId) -> Mapping[str, MostTries]:
    """What one try at a login counts against. `client` is the network address it comes from."""
    keys = {
        f"login:account:{account.key}": PER_ACCOUNT,
        f"login:account-client:{account.key}:{client}": PER_ACCOUNT_AND_CLIENT,
        f"login:client:{client}": PER_CLIENT,
        f"login:host:{account.endpoint.host.casefold()}": PER_HOST,
    }
    return keys | ({f"login:person:{person}": PER_PERSON} if person else {})


def take(deps: Deps, keys: Mapping[str, MostTries]) -> None:
    """Counts one try under each key. Raises TooManyTries when there were too many under one of them."""
    now = deps.clock.now()
    for key, most in keys.items():
        if deps.store.count(key, now, timedelta(seconds=most.seconds)) > most.tries:
            raise TooManyTries(most.seconds)


def forgive(deps: Deps, account: Account, client: str) -> None:
    """A login that succeeded was no guess."""
    deps.store.uncount(f"login:account:{account.key}")
    deps.store.uncount(f"login:account-client:{account.key}:{client}")
