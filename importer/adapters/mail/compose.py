"""What our mails say: a Report becomes Notices, one per address concerned.

Templates see nothing but the pages of `pages.py`, whose foreign text is already harmless; HTML is
escaped on top. Equal inputs give equal notices, so that posting them twice posts them once.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from importer.adapters.mail.addresses import mailbox, sender_mailbox
from importer.adapters.mail.mail_views import BatchMailView, InvitationMailView, ReportMailView
from importer.domain.model import State
from importer.domain.reporting.formatting import printable
from importer.domain.reporting.report import BatchReport, Report
from importer.i18n.translations import N_, CatalogTranslator, texts
from importer.ports.notices import Invitation, Notice

if TYPE_CHECKING:
    from jinja2 import Environment

_MAX_SUBJECT_CHARS: Final = 150
_PRODUCT: Final = "Mailhaul"
_STATES: Final = {
    State.QUEUED: N_("Waiting for its turn"),
    State.RUNNING: N_("Under way"),
    State.WAITING: N_("Waiting"),
    State.PAUSED: N_("Paused"),
    State.COMPLETE: N_("Complete"),
    State.INCOMPLETE: N_("Finished with gaps"),
    State.STOPPED: N_("Stopped"),
    State.CANCELLED: N_("Cancelled"),
    State.FAILED: N_("Failed"),
}


def concerned(report: Report) -> tuple[str, ...]:
    """The addresses that hear of an import: old mailbox, new mailbox, submitter; each once, in this order.

    Case does not tell addresses apart. What mail cannot be sent to (a bare login name) is left out.
    """
    import_ = report.import_
    return _each_once((import_.source.address, import_.destination.address, import_.submitter))


class TemplateComposer:
    """Writes our mails. `sender` is an address, with or without a name before it; `notice_key` keys the
    Message-IDs, so that nobody can guess the one of a mail yet to come; `language` is for those who never
    said theirs. Raises ValueError for a bad sender.
    """

    def __init__(self, sender: str, notice_key: bytes, language: str = "en") -> None:
        self._domain = sender_mailbox(sender).domain
        self._key = notice_key
        self._language = language

    @cached_property
    def _templates(self) -> Environment:
        # Only where a mail is written: a copy without a mail server starts sooner.
        from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

        return Environment(
            loader=PackageLoader("importer.adapters.mail"),
            autoescape=select_autoescape(enabled_extensions=("html",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def completion(self, report: Report, now: datetime) -> Sequence[Notice]:
        """One notice to each address concerned that the import ended, however it did.

        The key is `import:<id>:<recipient>`: an import ends once, and one that is started again has
        another id.
        """
        subject, text, html = self._written(
            "completion", report.import_.language, lambda say: ReportMailView.of(report, say)
        )
        return tuple(
            self._notice(f"import:{report.import_.id}:{to.casefold()}", to, subject, text, html, now)
            for to in concerned(report)
        )

    def invitation(self, invitation: Invitation, now: datetime) -> Sequence[Notice]:
        """One notice to the owner who is asked. The key is `consent:<id>:<side>:<recipient>:<mail>`."""
        import_, side = invitation.import_, invitation.side.value
        to = import_.account(invitation.side).address
        subject, text, html = self._written(
            "invitation", import_.language, lambda say: InvitationMailView.of(invitation, say)
        )
        return tuple(
            self._notice(
                f"consent:{import_.id}:{side}:{to.casefold()}:{invitation.mail}", to, subject, text, html, now
            )
            for to in _each_once((to,))
        )

    def batch_summary(self, report: BatchReport, now: datetime) -> Sequence[Notice]:
        """One notice to the submitter, none where nobody knows them.

        The key is `batch:<id>:<recipient>:<mark>`; the mark stands for the ends of all rows, so that it is
        another one after a row was started again and ended again.
        """
        ends = "\n".join(f"{one.import_.id} {one.import_.finished_at}" for one in report.reports)
        mark = sha256(ends.encode()).hexdigest()[:8]
        subject, text, html = self._written(
            "batch", report.batch.language, lambda say: BatchMailView.of(report, say)
        )
        return tuple(
            self._notice(f"batch:{report.batch.id}:{to.casefold()}:{mark}", to, subject, text, html, now)
            for to in _each_once((report.batch.submitter,))
        )

    def _written(
        self,
        template: str,
        language: str,
        made: Callable[[CatalogTranslator], ReportMailView | BatchMailView | InvitationMailView],
    ) -> tuple[str, str, str]:
        """Subject, text and HTML, in the reader's language."""
        say = texts(language or self._language)
        page = made(say)
        speech: dict[str, Any] = {
            "_": say.gettext,
            "ngettext": say.ngettext,
            "t": say,
            "states": {state.value: say.gettext(word) for state, word in _STATES.items()},
        }
        subject, text, html = (
            self._templates.get_template(f"{template}{ending}").render(page=page, product=_PRODUCT, **speech)
            for ending in (".subject.txt", ".txt", ".html")
        )
        return printable(subject, _MAX_SUBJECT_CHARS), text, html

    def _notice(self, key: str, to: str, subject: str, text: str, html: str, now: datetime) -> Notice:
        return Notice(
            key=key,
            recipient=to,
            subject=subject,
            text=text,
            html=html,
            message_id=self._message_id(key),
            created_at=now,
        )

    def _message_id(self, key: str) -> str:
        digest = hmac.digest(self._key, f"message-id\n{key}".encode(), "sha256")
        return f"<{digest.hex()[:32]}@{self._domain}>"


def _each_once(addresses: Iterable[str]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for address in addresses:
        try:
            mailbox(address)
        except ValueError:
            continue
        seen.setdefault(address.strip().casefold(), address.strip())
    return tuple(seen.values())
