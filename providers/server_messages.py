"""Known human-readable messages of mail servers, and their meaning.

Pure functions over response codes (RFC 5530) and texts. Codes alone are not enough: Gmail's [OVERQUOTA] is a
daily cap and Dovecot's a full mailbox, Exchange sends no codes at all, and every host words login failures
differently. Each message is quoted verbatim with its source; a test checks the patterns against the quotes.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Final

from providers.frozen import frozen


class Meaning(StrEnum):
    """The meaning of a server message."""

    PAUSE = "pause"  # rate limit; `suggested_pause` may give its duration
    DAILY_CAP = "daily_cap"  # daily byte limit reached
    CONNECTIONS = "connections"  # too many concurrent connections
    TROUBLE = "trouble"  # a temporary failure that affects every login at the host
    APP_PASSWORD = "app_password"  # noqa: S105  # requires an app password
    BROWSER = "browser"  # the owner has to confirm the login in a browser
    IMAP_OFF = "imap_off"  # the owner has to switch on IMAP
    IMAP_FORBIDDEN = "imap_forbidden"  # an administrator has to switch on IMAP
    NO_PASSWORDS = "no_passwords"  # accepts no passwords
    NO_MAILBOX = "no_mailbox"  # login accepted, but there is no mailbox for it
    MAYBE_OFF = "maybe_off"  # a wrong password, or IMAP is off
    TOO_MANY_TRIES = "too_many_tries"  # login blocked for a while after wrong passwords


@frozen
class ServerMessage:
    """A known message.

    `seen` is the server's response verbatim, from NO, BAD or BYE on; `source` says where it was seen. With
    `whole_host` it concerns all accounts accessed from our address.
    """

    meaning: Meaning
    pattern: re.Pattern[str]
    host: str
    seen: str
    source: str
    whole_host: bool = False


def _message(
    meaning: Meaning, pattern: str, host: str, seen: str, source: str, *, whole_host: bool = False
) -> ServerMessage:
    return ServerMessage(meaning, re.compile(pattern, re.IGNORECASE), host, seen, source, whole_host)


PATTERNS: Final = (
    _message(
        Meaning.DAILY_CAP,
        r"command or bandwidth limits",
        "Gmail",
        "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)",
        "imapsync FAQ.Gmail; its limits: support.google.com/a/answer/1071518",
    ),
    _message(
        Meaning.PAUSE,
        r"request is throttled|\bthrottled\b|backoff time",
        "Exchange Online",
        "BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds",
        "imapsync#198 and #272, imap_tools#135, email-oauth2-proxy#191",
    ),
    _message(
        Meaning.PAUSE,
        r"rate.?limit (?:from|for) (?:one|this|your|the same) (?:source|ip|address)",
        "hosts behind Mailu",
        "NO Authentication rate limit from one source exceeded",
        "Mailu/Mailu#1251",
        whole_host=True,
    ),
    _message(
        Meaning.PAUSE,
        r"rate.?limit|too many (?:requests|commands)",
        "Yahoo",
        "NO [LIMIT] LOGIN Rate limit hit.",
        "bugzilla.mozilla.org 1727971; Yahoo Japan says it of STATUS too",
    ),
    _message(
        Meaning.CONNECTIONS,
        r"connections from (?:your|this|the same|one) (?:ip|address|host|source|network)"
        r"|connections from \[?(?:[0-9]{1,3}\.){3}[0-9]",
        "servers that count by address",
        "BYE Too many connections from your IP",
        "epistula, its per-IP listener (2026); the greeting of a fake server in several projects' tests",
        whole_host=True,
    ),
    _message(
        Meaning.CONNECTIONS,
        r"too many open connections \([0-9]+ of [0-9]+ from ",
        "Cyrus",
        "NO Too many open connections (11 of 10 from client.old.example, 3 of 20 for ada)",
        "cyrus-imapd, imap/imapd.c: maxlogins_per_host and maxlogins_per_user",
        whole_host=True,
    ),
    _message(
        Meaning.CONNECTIONS,
        r"too many open connections",
        "Cyrus",
        "NO Too many open connections (21 of 20 for ada)",
        "cyrus-imapd, imap/imapd.c: maxlogins_per_user",
    ),
    _message(
        Meaning.TROUBLE,
        r"temporary problem, please try again",
        "Courier",
        "BYE Temporary problem, please try again later",
        "courier-imap, imap/imaplogin.c: its authentication daemon does not answer",
        whole_host=True,
    ),
    _message(
        Meaning.TROUBLE,
        r"temporary authentication failure",
        "Dovecot",
        "NO [UNAVAILABLE] Temporary authentication failure.",
        "Dovecot 2.3, src/login-common",
        whole_host=True,
    ),
    _message(
        Meaning.CONNECTIONS,
        r"too many (?:simultaneous )?(?:imap )?connections",
        "Gmail",
        "NO [ALERT] Too many simultaneous connections. (Failure)",
        "imapsync#61, wildduck#35",
    ),
    _message(
        Meaning.CONNECTIONS,
        r"maximum number of connections|connection limit",
        "Dovecot",
        "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded"
        " (mail_max_userip_connections=10)",
        "node-imap#606",
    ),
    _message(
        Meaning.APP_PASSWORD,
        r"app(?:lication)?[ -]specific password",
        "Gmail",
        "NO [ALERT] Application-specific password required:"
        " https://support.google.com/accounts/answer/185833 (Failure)",
        "imapsync FAQ.Gmail, mutt-wizard#831",
    ),
    _message(
        Meaning.APP_PASSWORD,
        r"parol prilozheniya|\bapp?lication password",
        "Mail.ru",
        "NO [AUTHENTICATIONFAILED] NEOBHODIM parol prilozheniya"
        " https://help.mail.ru/mail/security/protection/external / Aplication password is REQUIRED",
        "thunderbird-android#9069",
    ),
    _message(
        Meaning.APP_PASSWORD,
        r"(?:create|generate|use) an app(?:lication)? password",
        "Fastmail",
        "NO Sorry, you need to create an app password to use this service",
        "a public project's guide to Fastmail (2026); so says Purelymail, purelymail-issues#337",
    ),
    _message(
        Meaning.TOO_MANY_TRIES,
        r"too many (?:bad|failed|wrong|invalid|unsuccessful|login|auth)\b[a-z ]*\b(?:attempts|logins|tries)",
        "Yahoo",
        "NO Too many bad login attempts.",
        "MailKit#320; FairEmail's FAQ: mostly the account's password in place of an app password",
    ),
    _message(
        Meaning.BROWSER,
        r"webalert",
        "Gmail",
        "NO [WEBALERT https://accounts.google.com/signin/continue?sarp=1&scc=1] Web login required.",
        "S22.Imap#116, MailSystem.NET#17, mailcore2#876",
    ),
    _message(
        Meaning.BROWSER,
        r"log ?in via your web browser|web ?login required",
        "Gmail",
        "NO [ALERT] Please log in via your web browser:"
        " https://support.google.com/mail/accounts/answer/78754 (Failure)",
        "imapsync FAQ.Gmail",
    ),
    _message(
        Meaning.IMAP_FORBIDDEN,
        r"imap access is disabled for your domain",
        "Google Workspace",
        "NO [ALERT] IMAP access is disabled for your domain. Please contact your domain administrator for"
        " questions about this feature. (Failure)",
        "help.cloudiway.com; google/googleapps-message-recall",
    ),
    _message(
        Meaning.IMAP_OFF,
        r"not enabled for imap|imap (?:access )?is disabled for (?:your|this) account",
        "Gmail",
        "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail"
        " settings page and enable"
        " your account for IMAP access. (Failure)",
        "gaia email, lib/errorutils (mozilla-b2g)",
    ),
    _message(
        Meaning.IMAP_OFF,
        r"yet to enable imap",
        "Zoho",
        "NO [ALERT] You are yet to enable IMAP for your account. Please contact your administrator (Failure)",
        "ten public projects' tests",
    ),
    _message(
        Meaning.MAYBE_OFF,
        r"invalid credentials or imap is disabled",
        "Yandex",
        "NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials or IMAP is disabled sc=ebI8JB0ug4Y1_290737_53p",
        "Foundry376/Mailspring#904, #2111",
    ),
    _message(
        Meaning.NO_PASSWORDS,
        r"basic ?auth(?:entication)?(?: is)? ?(?:disabled|blocked)",
        "Exchange Online",
        "NO Basic authentication is disabled.",
        "uxc#445 (2024)",
    ),
    _message(
        Meaning.NO_PASSWORDS,
        r"basicauthblocked",
        "Outlook.com",
        "NO [AUTHENTICATIONFAILED] AuthFailed:LogonDenied-BasicAuthBlocked-<UserType:OutlookCom>"
        " LogonFailed-BasicAuthBlocked",
        "seven public projects' tests",
    ),
    _message(
        Meaning.NO_PASSWORDS,
        r"logindisabled|plaintext authentication disallowed|oauth",
        "Dovecot without TLS",
        "NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
        "Dovecot 2.3, src/login-common",
    ),
    _message(
        Meaning.NO_MAILBOX,
        r"authenticated but not connected",
        "Exchange Online",
        "BAD User is authenticated but not connected.",
        "email-oauth2-proxy#74, #275, imapsync#411; after many connections: node-imap#523, php-imap#464",
    ),
)


def classify(words: str) -> Meaning | None:
    """The meaning of `words`, with or without a leading response code; None if it is unknown."""
    message = _find(words)
    return None if message is None else message.meaning


def affects_whole_host(words: str) -> bool:
    """Whether the message is known to concern all our connections to that host, not only this account."""
    message = _find(words)
    return message is not None and message.whole_host


def _find(words: str) -> ServerMessage | None:
    return next((message for message in PATTERNS if message.pattern.search(words)), None)


_BACKOFF: Final = re.compile(r"backoff time:\s*([0-9]{1,12})\s*(milli)?seconds", re.IGNORECASE)


def suggested_pause(words: str) -> timedelta | None:
    """The pause that the host requests, to the millisecond; None if it names none."""
    match = _BACKOFF.search(words)
    if match is None:
        return None
    return timedelta(milliseconds=int(match[1])) if match[2] else timedelta(seconds=int(match[1]))


LOGIN_CODES: Final = {
    meaning: f"login_rejected.{meaning}"
    for meaning in (
        Meaning.APP_PASSWORD,
        Meaning.BROWSER,
        Meaning.IMAP_OFF,
        Meaning.IMAP_FORBIDDEN,
        Meaning.NO_PASSWORDS,
        Meaning.NO_MAILBOX,
        Meaning.MAYBE_OFF,
        Meaning.TOO_MANY_TRIES,
    )
}
"""The code of the error for a refused login, with the parameter `host`."""
