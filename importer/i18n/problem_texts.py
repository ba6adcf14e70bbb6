"""Why an import waits or stopped, in the reader's language: one sentence for each problem code."""

from __future__ import annotations

from typing import Final

from importer.domain.model import Import
from importer.domain.reporting.formatting import printable
from importer.i18n.translations import N_, CatalogTranslator
from providers.errors import Side

_BY_CODE: Final = {
    "connection_lost": N_("The connection to %(host)s broke off."),
    "protocol_violation": N_("%(host)s answered in a way that no mail server should."),
    "server_unavailable": N_("%(host)s is not available at the moment."),
    "server_too_slow": N_("%(host)s answers so slowly that nothing comes of it."),
    "throttled": N_("%(host)s asks for a pause."),
    "endpoint_wrong": N_("The mail server %(host)s cannot be used like this. Check the settings."),
    "host_unknown": N_("There is no server called %(host)s. Check the address or the server's name."),
    "host_forbidden": N_("%(host)s is not a mail server on the public internet."),
    "certificate_refused": N_("The certificate of %(host)s does not prove that it is this server."),
    "not_an_imap_server": N_("%(host)s does not answer like a mail server there. Check name and port."),
    "encryption_unavailable": N_("%(host)s offers no encryption there. Try SSL/TLS on port 993."),
    "login_rejected": N_(
        "%(host)s does not accept this password. Check it; many hosts want an app password."
    ),
    "master_refused": N_(
        "%(host)s does not open this mailbox without its password. Check the address, or use its password."
    ),
    "grant_expired": N_("The permission to read this mailbox has run out. Sign in there once more."),
    "consent_needed": N_("The owner of the old mailbox has to sign in at %(host)s first."),
    "consent_expired": N_(
        "The owner of the old mailbox did not sign in in time. Run it again for a new link."
    ),
    "destination_full": N_("The new mailbox is full. Make room or get more, then start it again."),
    "destination_busy": N_("Another import is writing into this mailbox; they take turns."),
    "connections_in_use": N_("%(host)s allows only so many connections at a time; imports take turns."),
    "pause_forgotten": N_(
        "It was paused for two weeks, so its passwords were erased. Run it again to go on."
    ),
    "passwords_missing": N_("The passwords are no longer there. Start it again."),
    "mail_hidden": N_(
        "%(host)s shows programs only a part of the mail. Its owner can change that in the settings there."
    ),
    "folder_unusable": N_("A folder cannot be opened or created at %(host)s."),
    "folder_changed": N_("A folder was changed while it was being copied."),
    "daily_limit": N_("%(host)s lets only so much through in a day."),
    "disk_full": N_("There is no room left on our side. Nothing is lost: it goes on as soon as there is."),
    "interrupted": N_("It was broken off. Nothing is lost: run it again and it goes on from there."),
    "undo_too_early": N_("It is still under way. Cancel it first, then undo it."),
    "undo_busy": N_("Somebody is at work on this import at this moment. Try again in a minute."),
    "undo_mailbox_busy": N_(
        "Another import is writing into this mailbox. Pause it, or wait until it is done."
    ),
    "undo_held_back": N_("%(host)s cannot be asked right now. Try again later."),
    "undo_inexact": N_(
        "%(host)s cannot remove single messages. Remove them with a mail program; the report says what was"
        " copied."
    ),
    "undo_closed": N_(
        "%(host)s takes no passwords, and what its owner allowed ended with the import. Remove the messages"
        " with a mail program; the report says what was copied."
    ),
    "undo_interrupted": N_("It was interrupted. Ask for it again: it goes on from there."),
    "undo_failed": N_("Something went wrong on our side. Ask for it again: it goes on from there."),
    "internal": N_("Something went wrong on our side. Nothing is lost: start it again."),
}

_AT_DESTINATION: Final = {
    "grant_expired": N_("The permission to put mail into this mailbox has run out. Sign in there once more."),
    "consent_needed": N_("The owner of the new mailbox has to sign in at %(host)s first."),
    "consent_expired": N_(
        "The owner of the new mailbox did not sign in in time. Run it again for a new link."
    ),
}
"""Where it matters which mailbox it is."""


def import_problem(texts: CatalogTranslator, import_: Import) -> str:
    """Why an import waits or stopped; "" when there is nothing to say."""
    problem = import_.problem
    if problem is None:
        return ""
    side = problem.side or Side.DESTINATION
    return by_code(texts, problem.code, problem.message, import_.account(side).endpoint.host, side)


def by_code(texts: CatalogTranslator, code: str, said: str, host: str, side: Side = Side.SOURCE) -> str:
    """The sentence for a problem code; for a code without one, what was `said`."""
    message = _AT_DESTINATION.get(code) if side is Side.DESTINATION else None
    message = message or _BY_CODE.get(code)
    if message is None:
        return printable(said, 400)
    return texts.gettext(message, host=printable(host)) if "%(" in message else texts.gettext(message)
