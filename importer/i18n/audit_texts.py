"""Security events as short texts, for operators and the people whom they concern."""

from __future__ import annotations

from typing import Final

from importer.domain.audit_event import OPERATOR, AuditAction, AuditEvent, AuditOutcome, side_of
from importer.i18n.code_texts import render
from importer.i18n.translations import N_, CatalogTranslator

_ACTIONS: Final = {
    AuditAction.SIGN_IN: N_("Sign-in"),
    AuditAction.SIGN_OUT: N_("Sign-out"),
    AuditAction.SESSIONS_END: N_("Other browsers signed out"),
    AuditAction.MAILBOX_OPEN: N_("Mailbox opened"),
    AuditAction.HOST_REFUSE: N_("Server not permitted"),
    AuditAction.FORM_REFUSE: N_("Form of another site refused"),
    AuditAction.LIMIT_HIT: N_("Too many attempts"),
    AuditAction.TOKEN_USE: N_("API token used"),
    AuditAction.TOKEN_CREATE: N_("API token created"),
    AuditAction.TOKEN_REVOKE: N_("API token revoked"),
    AuditAction.OPERATOR_USE: N_("Operators' pages opened"),
    AuditAction.IMPORT_START: N_("Import started"),
    AuditAction.IMPORT_PAUSE: N_("Import paused"),
    AuditAction.IMPORT_RESUME: N_("Import resumed"),
    AuditAction.IMPORT_CANCEL: N_("Import cancelled"),
    AuditAction.IMPORT_SCHEDULE: N_("Import scheduled"),
    AuditAction.IMPORT_UNDO: N_("Import undone"),
    AuditAction.PAUSE_CLEAR: N_("Pause of a server ended"),
    AuditAction.MAINTENANCE: N_("Maintenance"),
    AuditAction.KEYS_ROTATE: N_("Stored passwords sealed with another key"),
    AuditAction.CONSENT_GIVE: N_("Permission given"),
    AuditAction.CONSENT_DECLINE: N_("Permission declined"),
    AuditAction.CONSENT_REMIND: N_("Owner reminded"),
    AuditAction.DATA_READ: N_("Data shown or exported"),
    AuditAction.DATA_ERASE: N_("Data erased"),
}
_OUTCOMES: Final = {
    AuditOutcome.DONE: N_("done"),
    AuditOutcome.REFUSED: N_("refused"),
    AuditOutcome.FAILED: N_("failed"),
}


def action_words(texts: CatalogTranslator, action: AuditAction) -> str:
    """The action in a few words."""
    return texts.gettext(_ACTIONS[action])


def action_text(texts: CatalogTranslator, event: AuditEvent) -> str:
    """The action, done or attempted."""
    return texts.gettext(_ACTIONS[event.action])


def outcome_text(texts: CatalogTranslator, event: AuditEvent) -> str:
    """The outcome of the action."""
    return texts.gettext(_OUTCOMES[event.outcome])


def detail_text(texts: CatalogTranslator, event: AuditEvent) -> str:
    """The detail in a sentence or two; "" for none."""
    return "" if event.detail is None else render(event.detail, texts, side_of(event.detail))


def event_json(texts: CatalogTranslator, event: AuditEvent) -> dict[str, object]:
    """As `AuditEvent.as_json`; a detail has also its `text`."""
    detail = event.detail
    spoken = None if detail is None else {**detail.as_json(), "text": detail_text(texts, event)}
    return {**event.as_json(), "detail": spoken}


def actor_text(texts: CatalogTranslator, event: AuditEvent, reader: str) -> str:
    """The actor, as far as the reader may know it: other people are not named."""
    if event.actor.name == reader:
        return texts.gettext("you")
    if event.actor.name.startswith((OPERATOR, "worker")):
        return texts.gettext("the operator of this service")
    return texts.gettext("not signed in") if not event.actor.name else texts.gettext("another person")
