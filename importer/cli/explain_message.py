"""`explain --message-id`: the trace of one message."""

from __future__ import annotations

from rich.text import Text

from importer.cli import text_views
from importer.cli.exit_codes import Usage, exit_with, stderr, stdout
from importer.cli.options import PasswordSource
from importer.cli.verify_command import known_credentials, print_mail_error
from importer.domain.model import Import
from importer.domain.reporting.formatting import printable
from importer.domain.reporting.message_trace import MessageTrace
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import render_with_advice
from importer.i18n.message_trace_texts import trace_json, trace_text
from importer.i18n.translations import CatalogTranslator
from importer.service.deps import Deps
from importer.service.imports.trace_message import TraceRefused, trace_message
from importer.settings import Settings
from providers.errors import GrantExpired, LoginRejected, MailError, Side


def explain_message(
    settings: Settings,
    deps: Deps,
    words: CatalogTranslator,
    import_: Import,
    message_id: str,
    passwords: tuple[PasswordSource, PasswordSource],
    *,
    as_json: bool,
) -> None:
    """Look for the message in the old mailbox, and then in the new one if it is no longer there. Ends with
    exit code 1 if neither has it."""
    credentials = known_credentials(settings, deps, import_, *passwords)
    traces: list[MessageTrace] = []
    try:
        for side, credential in (
            (Side.SOURCE, credentials.source),
            (Side.DESTINATION, credentials.destination),
        ):
            if not traces:
                with stderr.status("") as status:
                    traces = trace_message(
                        deps,
                        import_,
                        message_id,
                        side,
                        credential,
                        on_folder=lambda folder: status.update(text_views.plain(folder)),
                    )
            if not traces and not as_json:
                address = import_.account(side).address
                nowhere = words.gettext(
                    "No message with this Message-ID is in the mailbox %(address)s now.", address=address
                )
                stdout.print(Text(printable(nowhere, 600)), soft_wrap=True)
    except TraceRefused as refused:
        raise Usage(render_with_advice(refused.text, words)) from None
    except MailError as error:
        print_mail_error(words, error)
        rejected = isinstance(error, LoginRejected | GrantExpired)
        raise exit_with(ExitCode.LOGIN if rejected else ExitCode.WAITING) from None
    if as_json:
        text_views.print_json([trace_json(words, trace) for trace in traces])
    for trace in () if as_json else traces:
        stdout.print(Text(printable(trace_text(words, trace), 1200)), soft_wrap=True)
    if not traces:
        raise exit_with(ExitCode.REFUSALS)
