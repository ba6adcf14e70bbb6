"""Security events: actor, action, target, origin, time and outcome."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from providers.errors import Side
from providers.frozen import frozen
from providers.text import Text

OPERATOR: Final = "operator:"
"""The beginning of the names of operators: the user at the console, or the address of a web session."""


class AuditAction(StrEnum):
    """The action, done or only tried."""

    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    SESSIONS_END = "sessions.end"  # a person's other sessions, or all of them
    MAILBOX_OPEN = "mailbox.open"  # a login at a mailbox by a form, a check or the API
    HOST_REFUSE = "host.refuse"  # a server that must not be reached
    FORM_REFUSE = "form.refuse"  # a form of another site, or without a valid CSRF token
    LIMIT_HIT = "limit.hit"
    TOKEN_USE = "token.use"  # noqa: S105 - an API token, once a day and network; refusals always
    TOKEN_CREATE = "token.create"  # noqa: S105
    TOKEN_REVOKE = "token.revoke"  # noqa: S105
    OPERATOR_USE = "operator.use"  # the operators' pages, once a day and network; refusals always
    IMPORT_START = "import.start"
    IMPORT_PAUSE = "import.pause"
    IMPORT_RESUME = "import.resume"
    IMPORT_CANCEL = "import.cancel"
    IMPORT_SCHEDULE = "import.schedule"
    IMPORT_UNDO = "import.undo"
    PAUSE_CLEAR = "pause.clear"  # the pause of a host or an account there
    MAINTENANCE = "maintenance"  # on or off
    KEYS_ROTATE = "keys.rotate"
    CONSENT_GIVE = "consent.give"
    CONSENT_DECLINE = "consent.decline"
    CONSENT_REMIND = "consent.remind"  # an owner is reminded to sign in
    DATA_READ = "data.read"  # stored data about an address was shown or exported
    DATA_ERASE = "data.erase"

    @classmethod
    def about_imports(cls) -> frozenset[AuditAction]:
        """The actions whose target is an import."""
        return frozenset(
            (
                cls.IMPORT_START,
                cls.IMPORT_PAUSE,
                cls.IMPORT_RESUME,
                cls.IMPORT_CANCEL,
                cls.IMPORT_SCHEDULE,
                cls.IMPORT_UNDO,
                cls.CONSENT_GIVE,
                cls.CONSENT_REMIND,
            )
        )


class AuditOutcome(StrEnum):
    """The outcome of the action."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"  # the right is unknown: for example, the host did not answer


@frozen
class AuditActor:
    """The person or program that acts, and its address. `name` is a PersonId, `token:<id>`,
    `operator:<user>` or "" for a visitor who is not signed in; `client` is a network address or ""."""

    name: str
    client: str = ""


@frozen
class AuditEvent:
    """One security event.

    `target` is the object of the action: an import, a token, the key of an account, a host, a counter.
    `concerns` is the PersonId of the person whose mailbox, import or session it is; that person may read the
    event. `detail` is a reason or a circumstance, never a password and never a message's content.
    """

    at: datetime
    action: AuditAction
    outcome: AuditOutcome
    actor: AuditActor
    target: str = ""
    concerns: str = ""
    detail: Text | None = None

    def as_json(self) -> dict[str, object]:
        """The event with its time in ISO 8601; `detail` as `Text.as_json`, or None."""
        return {
            "at": self.at.isoformat(),
            "action": self.action.value,
            "outcome": self.outcome.value,
            "actor": self.actor.name,
            "client": self.actor.client,
            "target": self.target,
            "concerns": self.concerns,
            "detail": None if self.detail is None else self.detail.as_json(),
        }


def repeated_detail(number: int, detail: Text | None) -> Text:
    """The detail of an event that is one of `number` alike within an hour, not all of which are recorded."""
    if detail is None:
        return Text("audit_repeated", number=number)
    return Text("audit_repeated.detail", number=number, detail=detail)


_SIDE: Final = "side"


def sided_detail(text: Text, side: Side | None) -> Text:
    """The text of an error as a detail, with the mailbox that it concerns as the parameter `side`."""
    return text if side is None else Text(text.code, steps=text.steps, **{**text.params, _SIDE: side.value})


def side_of(detail: Text) -> Side | None:
    """The mailbox that a detail concerns; None if it names none, as in events of earlier versions."""
    side = detail.params.get(_SIDE)
    return Side(side) if isinstance(side, str) and side in list(Side) else None
