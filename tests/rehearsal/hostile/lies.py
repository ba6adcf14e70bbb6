"""Servers that announce missing capabilities, send data before TLS, or close the connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.rehearsal.hostile.attack import Attack, at
from tests.rehearsal.scripted import StreamedAnswer, usual_answer

EVERYTHING: Final = (
    "IMAP4rev1 AUTH=PLAIN UIDPLUS LITERAL+ NAMESPACE UNSELECT COMPRESS=DEFLATE CONDSTORE ESEARCH MULTIAPPEND"
    " LIST-EXTENDED LIST-STATUS SPECIAL-USE QUOTA STATUS=SIZE ID MESSAGELIMIT=0"
)


@at(
    *("COMPRESS", "NAMESPACE", "ID", "UNSELECT", 'LIST "" "*" RETURN', "UID SEARCH RETURN", "GETQUOTAROOT"),
    capabilities=EVERYTHING,
)
def lies(_command: str) -> bytes:
    return b"TAG BAD unknown command\r\n"


@at("COMPRESS", capabilities=EVERYTHING)
def compresses_not(_command: str) -> bytes:
    return b"TAG OK from now on\r\n"


def hangs_up_at(*starts: str) -> StreamedAnswer:
    """Close the connection instead of answering those commands."""

    @at(*starts)
    def answer(_command: str) -> Iterator[bytes]:
        raise OSError

    return answer


def _as_usual(command: str) -> bytes:
    return usual_answer(command)


@at("STARTTLS")
def injects(_command: str) -> bytes:
    return b"TAG OK go on\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"


STEPS: Final = ("CAPABILITY", "AUTHENTICATE", "LIST", "STATUS", "EXAMINE", "UID FETCH", "APPEND", "LOGOUT")

ATTACKS: Final = (
    Attack("lies", "offers every extension and knows none", lies),
    Attack("compresses-not", "agrees to COMPRESS and goes on in plain text", compresses_not),
    Attack("preauth", "PREAUTH before STARTTLS", _as_usual, b"* PREAUTH you are in\r\n"),
    Attack(
        "injected",
        "responses from before TLS that are for after it",
        injects,
        b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n",
    ),
    *(
        Attack(
            f"hangs-up-at-{step.lower().replace(' ', '-')}",
            f"hangs up at {step}",
            hangs_up_at(step, "SELECT" if step == "EXAMINE" else step),
        )
        for step in STEPS
    ),
)
