"""Why an import waits or stopped, in the reader's language: one text for each problem code."""

from __future__ import annotations

from typing import Final

from importer.domain.model import Account, Import, Problem
from importer.domain.reporting.formatting import printable, with_server_words
from importer.i18n.reason_texts import reason
from importer.i18n.translations import N_, CatalogTranslator
from providers.errors import BeyondLimit, Side

_BY_CODE: Final = {
    "connection_lost": N_("The connection to %(host)s was lost."),
    "protocol_violation": N_("%(host)s sent an invalid response."),
    "server_unavailable": N_("%(host)s is not available at the moment."),
    "server_too_slow": N_("%(host)s is responding too slowly to continue."),
    "throttled": N_("%(host)s has asked us to slow down."),
    "endpoint_wrong": N_("The mail server %(host)s cannot be used with these settings. Please check them."),
    "host_unknown": N_("There is no server called %(host)s. Check the address or the server name."),
    "host_forbidden": N_(
        "%(host)s is not a mail server on the public internet. Check the address or the server name."
    ),
    "certificate_refused": N_("The certificate of %(host)s could not be verified."),
    "not_an_imap_server": N_(
        "%(host)s does not respond like a mail server. Check the server name and the port."
    ),
    "encryption_unavailable": N_("%(host)s does not offer encryption on this port. Try SSL/TLS on port 993."),
    "login_rejected": N_(
        "%(host)s does not accept this password. Check it; many providers require an app password."
    ),
    "master_refused": N_(
        "%(host)s does not give access to this mailbox without its password. Check the address, or"
        " enter the password."
    ),
    "grant_expired": N_("The permission to read this mailbox has expired. Please sign in again."),
    "consent_needed": N_("The owner of the old mailbox must first sign in at %(host)s."),
    "consent_expired": N_(
        "The owner of the old mailbox did not sign in in time. Start the import again to get a new link."
    ),
    "destination_full": N_(
        "The new mailbox is full. Free up space or get more, then start the import again."
    ),
    "destination_busy": N_("Another import is writing to this mailbox. This one is waiting for its turn."),
    "connections_in_use": N_("%(host)s allows only a limited number of connections, so imports take turns."),
    "pause_forgotten": N_(
        "The import was paused for two weeks, so its passwords were deleted. Start it again to continue."
    ),
    "passwords_missing": N_("The passwords are no longer stored. Start the import again."),
    "mail_hidden": N_(
        "%(host)s shows only part of the mail to other programs. The owner of the mailbox can change"
        " this in its settings."
    ),
    "folder_unusable": N_("A folder cannot be opened or created on %(host)s."),
    "folder_changed": N_("A folder was changed while it was being copied."),
    "daily_limit": N_("%(host)s has reached its daily transfer limit."),
    "disk_full": N_(
        "Our server has run out of disk space. Nothing is lost: the import continues as"
        " soon as there is space again."
    ),
    "interrupted": N_(
        "The import was interrupted. Nothing is lost: start it again and it continues from there."
    ),
    "undo_too_early": N_("The import is still in progress. Cancel it first, then undo it."),
    "undo_busy": N_("This import is being processed right now. Try again in a minute."),
    "undo_mailbox_busy": N_("Another import is writing to this mailbox. Pause it, or wait until it is done."),
    "undo_held_back": N_("%(host)s cannot be contacted right now. Try again later."),
    "undo_inexact": N_(
        "%(host)s cannot remove individual messages. Remove them with a mail program; the report shows"
        " what was copied."
    ),
    "undo_closed": N_(
        "%(host)s does not accept passwords, and the permission given by the owner ended with the"
        " import. Remove the messages with a mail program; the report shows what was copied."
    ),
    "undo_interrupted": N_("The undo was interrupted. Start it again: it continues from there."),
    "undo_failed": N_("Something went wrong on our side. Start the undo again: it continues from there."),
    "internal": N_("Something went wrong on our side. Nothing is lost: start it again."),
}

_AT_DESTINATION: Final = {
    "grant_expired": N_("The permission to add mail to this mailbox has expired. Please sign in again."),
    "consent_needed": N_("The owner of the new mailbox must first sign in at %(host)s."),
    "consent_expired": N_(
        "The owner of the new mailbox did not sign in in time. Start the import again to get a new link."
    ),
}
"""Texts that replace those of `_BY_CODE` if the problem is at the destination."""


def import_problem(texts: CatalogTranslator, import_: Import) -> str:
    """Why an import waits or stopped; "" if it has no problem."""
    problem = import_.problem
    if problem is None:
        return ""
    side = problem.side or Side.DESTINATION
    return _sentence(texts, problem, import_.account(side), side)


def problem_text(texts: CatalogTranslator, problem: Problem, account: Account, side: Side) -> str:
    """The problem with the mailbox `account` on that side, with the server's words."""
    return quoting(texts, _sentence(texts, problem, account, side), problem)


def _sentence(texts: CatalogTranslator, problem: Problem, account: Account, side: Side) -> str:
    """The stored English sentence is more precise than that of its code."""
    if texts.language == "en" and problem.message:
        return printable(problem.message, 400)
    return by_code(texts, problem.code, problem.message, account.endpoint.host, side)


def quoting(texts: CatalogTranslator, sentence: str, problem: Problem | None) -> str:
    """The sentence about a problem, with the server's words."""
    words = printable(problem.server_text, 400) if problem is not None else ""
    return with_server_words(sentence, words, texts.gettext("The server said:"))


def by_code(texts: CatalogTranslator, code: str, fallback: str, host: str, side: Side = Side.SOURCE) -> str:
    """The text for a problem code; `fallback`, made printable, for a code without a text. That of BeyondLimit
    is the translated `fallback`."""
    if code == BeyondLimit.code:  # the sentence names the limit
        return reason(texts, fallback)
    message = _AT_DESTINATION.get(code) if side is Side.DESTINATION else None
    message = message or _BY_CODE.get(code)
    if message is None:
        return printable(fallback, 400)
    return texts.gettext(message, host=printable(host)) if "%(" in message else texts.gettext(message)
