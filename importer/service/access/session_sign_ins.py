"""Sign-ins of mailbox owners in a web session: pending requests, and the grants that resulted.

Both are sealed with the session's data.
"""

from __future__ import annotations

from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from importer.domain.model import Account
from providers.endpoint import Secret
from providers.errors import Side
from providers.frozen import frozen
from providers.grants import OAuthGrant, dump, load


class SignInState(StrEnum):
    """The state of a sign-in."""

    AT_PROVIDER = "at provider"
    DONE = "done"
    FAILED = "failed"  # denied, by another account, or not finished


@frozen
class PendingSignIn:
    """The owner of `account` is at the provider (an id of `SIGN_IN_PROVIDERS`) until `ends_at` at the latest.

    `state` names the request, for one answer. `again` is the id of the import that the form runs again, or
    ""; with `starts`, it starts without a further page, and with `failed_only` for its failed messages alone.
    `progress` is for a page that is reloaded. `side` is that of the account: the old mailbox or the new one.
    """

    provider: str
    account: Account
    state: str = field(repr=False)
    verifier: Secret
    nonce: str = field(repr=False)
    ends_at: datetime
    again: str = ""
    starts: bool = False
    progress: SignInState = SignInState.AT_PROVIDER
    side: Side = Side.SOURCE
    failed_only: bool = False

    def over(self, progress: SignInState) -> PendingSignIn:
        """The same once it is answered, without the values that another answer would need."""
        return replace(self, progress=progress, verifier=Secret(""), nonce="")

    def as_json(self) -> dict[str, Any]:
        """All but the account."""
        return {
            "provider": self.provider,
            "state": self.state,
            "verifier": self.verifier.reveal(),
            "nonce": self.nonce,
            "ends_at": self.ends_at.isoformat(),
            "again": self.again,
            "starts": self.starts,
            "progress": self.progress.value,
            "side": self.side.value,
            "failed_only": self.failed_only,
        }

    @classmethod
    def from_json(cls, facts: dict[str, Any], account: Account) -> PendingSignIn:
        """The inverse of `as_json`."""
        return cls(
            facts["provider"],
            account,
            facts["state"],
            Secret(facts["verifier"]),
            facts["nonce"],
            datetime.fromisoformat(facts["ends_at"]),
            facts["again"],
            facts["starts"],
            SignInState(facts["progress"]),
            Side(facts.get("side", Side.SOURCE.value)),  # a session of an earlier version has none
            facts.get("failed_only", False),
        )


@frozen
class SessionGrant:
    """An owner's grant, and its last access token with its end and its lifetime in seconds.

    The token spares a refresh at each check: a host may replace the refresh token then.
    """

    grant: OAuthGrant
    token: Secret
    ends_at: datetime
    life_s: float

    def as_json(self) -> dict[str, Any]:
        return {
            "grant": dump(self.grant).reveal(),
            "token": self.token.reveal(),
            "ends_at": self.ends_at.isoformat(),
            "life_s": self.life_s,
        }

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> SessionGrant:
        """The inverse of `as_json`. Raises ValueError, which does not quote the grant."""
        grant = load(Secret(facts["grant"]))
        assert isinstance(grant, OAuthGrant)  # noqa: S101 - `as_json` wrote it
        return cls(grant, Secret(facts["token"]), datetime.fromisoformat(facts["ends_at"]), facts["life_s"])
