"""docs/errors.md, from the catalog of codes, the error tree, and the API's problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from docs.generate.markdown import table
from importer.codes.code_table import ROWS
from importer.domain.receipts.folder_tally import RefusalCode
from importer.domain.reporting.report import ExitCode
from importer.i18n.translations import texts
from importer.ports import mailbox_errors
from importer.web.api.problem_details import STATUSES, title
from providers import errors as host_errors
from providers.errors import MailError
from providers.text import TextRow

_INTRODUCTION: Final = """\
# Errors

Made from the code by `make document`. Codes are stable; new ones may be added.

## Why an import waits or stopped

`mailhaul list --state waiting --state stopped` shows each import with its reason; `mailhaul explain ID` says what to do. The
code is in `--json`, in the API and in the log (`problem`). *Remedy* says what happens next: `wait` and `reconnect` continue
automatically; `human` stops until the import is submitted again, and everything that was copied stays copied. *Exit code* is
that of `copy`, `watch` and `report`.
"""


def reasons() -> dict[str, TextRow]:
    """Code -> the row of every reason why an import waits or stopped."""
    return {code: row for code, row in ROWS.items() if row.cause}


def errors() -> dict[str, type[MailError]]:
    """Code -> the class of every error of the tree."""

    def below(error: type[MailError]) -> Iterator[type[MailError]]:
        yield error
        for branch in error.__subclasses__():
            yield from below(branch)

    modules = (host_errors.__name__, mailbox_errors.__name__)
    return {error.code: error for error in below(MailError) if error.__module__ in modules}


def render() -> str:
    """The whole page."""
    return "\n".join((_INTRODUCTION, *_reasons(), "", *_refusals(), "", *_api_problems())) + "\n"


def _reasons() -> Iterator[str]:
    known = errors()
    rows = []
    for code, row in reasons().items():
        remedy = known[code].remedy.value if code in known else ""
        rows.append((f"`{code}`", remedy, str(row.exit_code), row.cause, row.operator_advice))
    yield from table(("code", "remedy", "exit code", "what happened", "what to do"), rows)
    names = ", ".join(f"{int(code)} {code.name.lower().replace('_', ' ')}" for code in ExitCode)
    yield f"\nExit codes: {names}."


def _refusals() -> Iterator[str]:
    yield "## Why a message or folder was not copied\n"
    yield "`refusals` of a report, and the last column of its CSV file, have a code beside the words of `reason`.\n"
    yield from table(("code", "meaning"), ((f"`{code}`", ROWS[code].as_refusal) for code in RefusalCode))


def _api_problems() -> Iterator[str]:
    yield "## Problems of the API\n"
    yield "Problem details (RFC 9457, `application/problem+json`). No answer repeats the content of the request.\n"
    english = texts("en")
    rows = ((f"`{code}`", str(status), f"{title(english, code)}.") for code, status in STATUSES.items())
    yield from table(("code", "status", "meaning"), rows)
