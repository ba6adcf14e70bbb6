"""docs/errors.md, from the error tree, the problem codes, the refusal codes and the API's problems."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from docs.generate.markdown import table
from importer.domain.model import RefusalCode
from importer.domain.reporting.report import ExitCode, exit_code_of
from importer.web.api.problem_details import TITLES
from providers.errors import MailError
from providers.sign_in_providers import names

_PRODUCT: Final = [Path(__file__).parents[2] / package for package in ("importer", "providers")]
_INTRODUCTION: Final = """\
# Errors

Made from the code by `make document`. Codes are stable; new ones may be added.

## Why an import waits or stopped

`mailhaul list --state waiting --state stopped` shows each import with its reason; `mailhaul explain ID` says what to do. The
code is in `--json`, in the API and in the log (`problem`). *Remedy* says what happens next: `wait` and `reconnect` continue
automatically; `human` stops until the import is submitted again, and everything that was copied stays copied. *Exit code* is
that of `copy`, `watch` and `report`.
"""
REASONS: Final = {
    "connection_lost": (
        "The connection broke, or the server stopped responding. It waits seconds at first, later minutes.",
        "Nothing, if it continues. Otherwise check the network, and `MAILHAUL_IMAP_TIMEOUT_SECONDS` for a slow server.",
    ),
    "server_unavailable": (
        "The server does not answer or is busy, or its name could not be looked up.",
        "Nothing for half an hour. Then: is the host up, is the port reachable from here?",
    ),
    "server_too_slow": (
        "The server sent a byte now and then for as long as a leg lasts; the connection was cut so that it does not"
        " block a worker.",
        "Nothing for half an hour. Then check the network and that server.",
    ),
    "beyond_limit": (
        "The server sends more than Mailhaul accepts from one server; the sentence names the limit. The limits are in"
        " `importer/domain/planning/server_limits.py`. A real mailbox comes nowhere near them.",
        "Look at the mailbox with a mail program. If the server is right, report it to the Mailhaul project.",
    ),
    "throttled": (
        "The server asks for a pause, often for hours, or accepts no more connections. A limit that the server applies"
        " to this machine's address holds for all mailboxes there.",
        "Nothing. It continues when the server allows it, or tries again with growing waits. Too many connections again"
        " and again: `MAILHAUL_HOST_CONNECTIONS`, `MAILHAUL_LANES`.",
    ),
    "protocol_violation": (
        "The server sent a reply that no standard allows, or refused a command that it must support.",
        "If it persists, report `server_text` to the server's operator and to the Mailhaul project.",
    ),
    "host_forbidden": (
        "A server that a user named is not on the public internet, or its port is not one for mail.",
        "If it is right, add its network to `MAILHAUL_ALLOWED_NETWORKS` and submit again.",
    ),
    "host_unknown": (
        "The name of the server does not resolve.",
        "Correct the server and submit again; `mailhaul detect` finds the server of an address.",
    ),
    "certificate_refused": (
        "The certificate does not prove the host.",
        "Check the name. For a private authority set `MAILHAUL_CA_FILE`. Otherwise the server's operator has to fix it.",
    ),
    "not_an_imap_server": (
        "Another service answers on that port, or the server expects another kind of encryption.",
        "Use `imaps://` with 993 or `imap://` with 143, and submit again.",
    ),
    "encryption_unavailable": (
        "The server offers no STARTTLS.",
        "Use `imaps://`. Only if there is no other way, and the network is yours: `MAILHAUL_ALLOW_PLAINTEXT`.",
    ),
    "endpoint_wrong": (
        "The server cannot be used as configured; one of the four above is more specific.",
        "Correct the server and submit again.",
    ),
    "login_rejected": (
        "The host refused the login. The message says which side, and what that host requires.",
        "Correct the password, create an app password, or enable IMAP at the host; submit again. The same CSV file with"
        " the new password starts only those rows.",
    ),
    "master_refused": (
        "The host refused the master user for the new mailbox: the mailbox does not exist, or the settings are wrong or"
        " were removed. The message says which.",
        "Does the mailbox exist? Check `MAILHAUL_DESTINATION_MASTER_USER`, its password, and"
        " `MAILHAUL_DESTINATION_MASTER_SEPARATOR` if the host expects logins of both names; then submit again.",
    ),
    "grant_expired": (
        "The owner's permission was withdrawn or has expired: at some hosts a new password ends it too.",
        "Have the owner sign in again, then submit again: it continues where it stopped. An organisation's permission"
        " is renewed by its administrator.",
    ),
    "mail_hidden": (
        "Gmail shows programs only a part of the mail: “All Mail” is hidden, or folders are limited to a number of"
        " messages.",
        "The owner changes the setting that the message names; submit again.",
    ),
    "destination_full": ("The new mailbox is full.", "Make room or raise its quota, then submit again."),
    "destination_busy": (
        "Another import writes into the same mailbox. They take turns, leg by leg.",
        "Nothing. If nothing is running: a worker died, and its lease expires within `MAILHAUL_LEASE_SECONDS`.",
    ),
    "connections_in_use": (
        "All workers together have as many connections to that mailbox or host as they may. Imports take turns.",
        "Nothing. If the host allows more: `MAILHAUL_HOST_CONNECTIONS`, `MAILHAUL_ACCOUNT_CONNECTIONS`.",
    ),
    "consent_needed": (
        f"The owner of the old or the new mailbox has to sign in with {names()}. A link was mailed there;"
        " `mailhaul show` has it too.",
        "Nothing, or pass the link on yourself. Reminders are mailed after two and five days.",
    ),
    "consent_expired": (
        "The owner did not sign in within `MAILHAUL_CONSENT_DAYS`.",
        "Submit the row again: its owner gets a new link.",
    ),
    "daily_limit": (
        "As many bytes as the host allows in 24 hours were moved. The message says about when everything will be copied.",
        "Nothing. `MAILHAUL_DAILY_LIMITS` if the host allows more; moving more than that locks the mailbox for a day.",
    ),
    "folder_unusable": (
        "A folder cannot be opened or created. Usually it is a line in the report and stops nothing.",
        "If it stops an import, the server refuses something basic. See `server_text`.",
    ),
    "folder_left_out": (
        "A folder holds no mail, such as a calendar at Exchange. A line in the report; it stops nothing.",
        "Nothing.",
    ),
    "folder_changed": (
        "A folder was created again during the copy. The next leg plans again.",
        "Nothing. If it recurs, the server renumbers its folders: report it to its operator.",
    ),
    "passwords_missing": (
        "The stored passwords do not open: another key, or another environment at submission.",
        "`mailhaul doctor` checks the key. Submit again with both passwords.",
    ),
    "pause_forgotten": (
        "It was paused for two weeks. The import ended as cancelled, so that its passwords are not kept indefinitely.",
        "Submit it again; it continues where it was paused.",
    ),
    "interrupted": ("A `mailhaul copy` was interrupted or killed.", "Run it again."),
    "disk_full": (
        "The disk under the data directory, or under the database, is full. It tries again each minute; nothing is lost.",
        "Make room. `mailhaul doctor` shows the free space.",
    ),
    "internal": (
        "An internal error. It waits a minute and tries again (exit code 5), and fails after four in a row (exit code"
        " 6); earlier errors of servers do not count.",
        "Find `leg.failed` with the import's id: the traceback is for a bug report. A lost database shows here too.",
    ),
    "mail_error": ("An error of no known kind.", "As for `protocol_violation`."),
}
"""Code -> (what happened, what to do)."""

REFUSALS: Final = {
    RefusalCode.NOT_HANDED_OUT: "The old server lists the message and does not deliver it.",
    RefusalCode.TOO_LARGE: "It is larger than the new mailbox accepts.",
    RefusalCode.NOT_COMPARED: "It may be in the new mailbox already: the new server lists such a message and does"
    " not deliver it, or it was copied before that server numbered the folder anew and cannot be told from a message there.",
    RefusalCode.BEYOND_LIMIT: "The message is larger than Mailhaul copies (256 MiB).",
    RefusalCode.NOT_TAKEN: "The new server refused the message; `reason` has its words.",
    RefusalCode.BREAKS_CONNECTION: "The new server closed the connection each time the message was stored.",
    RefusalCode.FOLDER_UNUSABLE: "Its folder cannot be opened, created or written to, on one of the sides.",
    RefusalCode.UNLISTED: "The old server counts messages that it does not list, however it is asked.",
    RefusalCode.PARTLY_SHOWN: "The old server shows only a part of the folder; that part was copied.",
    RefusalCode.SURPLUS: "The recount found more copies in the new mailbox than were made: some messages are there twice.",
    RefusalCode.NEVER_SEEN: "An earlier import copied it, and the new mailbox has not shown it since.",
    RefusalCode.OTHER: "Another reason; `reason` has it.",
}


def errors() -> dict[str, type[MailError]]:
    """Code -> the class of every error of the tree."""

    def below(error: type[MailError]) -> Iterator[type[MailError]]:
        yield error
        for branch in error.__subclasses__():
            yield from below(branch)

    return {error.code: error for error in below(MailError) if error.__module__.startswith("providers.")}


def own_codes() -> set[str]:
    """The codes of problems that are no error of a mail host: every `Problem("code", …)` of the product."""
    codes = set()
    for path in sorted(path for package in _PRODUCT for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(ast.Name("Problem"), [ast.Constant(str(code)), *_]):
                    codes.add(code)
    return codes


def render() -> str:
    """The whole page."""
    return "\n".join((_INTRODUCTION, *_reasons(), "", *_refusals(), "", *_api_problems())) + "\n"


def _reasons() -> Iterator[str]:
    known = errors()
    rows = []
    for code, (happened, what_to_do) in REASONS.items():
        remedy = known[code].remedy.value if code in known else ""
        rows.append((f"`{code}`", remedy, str(int(exit_code_of(code))), happened, what_to_do))
    yield from table(("code", "remedy", "exit code", "what happened", "what to do"), rows)
    names = ", ".join(f"{int(code)} {code.name.lower().replace('_', ' ')}" for code in ExitCode)
    yield f"\nExit codes: {names}."


def _refusals() -> Iterator[str]:
    yield "## Why a message or folder was not copied\n"
    yield "`refusals` of a report, and the last column of its CSV file, have a code beside the words of `reason`.\n"
    yield from table(("code", "meaning"), ((f"`{code}`", REFUSALS.get(code, "?")) for code in RefusalCode))


def _api_problems() -> Iterator[str]:
    yield "## Problems of the API\n"
    yield "Problem details (RFC 9457, `application/problem+json`). No answer repeats what was sent.\n"
    rows = ((f"`{code}`", str(status), f"{title}.") for code, (status, title) in TITLES.items())
    yield from table(("code", "status", "meaning"), rows)
