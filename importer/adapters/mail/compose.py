"""Composes Mailhaul's own mails: a Report becomes Notices, one per recipient.

Templates only get the views of `mail_views`, whose untrusted text is already sanitised; HTML is escaped in
addition. Equal inputs produce equal notices, so that posting them twice has no further effect.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from importer.adapters.mail.addresses import mailbox, sender_mailbox
from importer.adapters.mail.mail_views import BatchMailView, InvitationMailView, ReportMailView
from importer.domain.brand import Brand
from importer.domain.model import State
from importer.domain.people.mail_recipients import MailReader
from importer.domain.reporting.batch_overview import Summary
from importer.domain.reporting.formatting import printable
from importer.domain.reporting.report import BatchReport, Report
from importer.i18n.state_texts import COUNTS, count_name, state_word
from importer.i18n.translations import CatalogTranslator, texts
from importer.ports.notices import Invitation, Notice

if TYPE_CHECKING:
    from jinja2 import Environment

_MAX_SUBJECT_CHARS: Final = 150
PLAIN: Final = Brand()


class TemplateComposer:
    """Implements `Composer`. `sender` is an address, optionally with a display name. `notice_key` keys the
    Message-IDs, so that those of future mails cannot be guessed. `language` is used for recipients whose
    language is unknown; times are in `zone`. The logo is shown if pages serve it at `public_url`. Raises
    ValueError for an invalid sender.
    """

    def __init__(
        self,
        sender: str,
        notice_key: bytes,
        language: str = "en",
        zone: tzinfo = UTC,
        brand: Brand = PLAIN,
        public_url: str = "",
    ) -> None:
        self._domain = sender_mailbox(sender).domain
        self._key = notice_key
        self._language = language
        self._zone = zone
        self._brand = brand
        self._logo_url = f"{public_url}{brand.logo.path}" if brand.logo and public_url else ""

    @cached_property
    def _templates(self) -> Environment:
        # Imported only to write a mail: a copy without a mail server starts sooner.
        from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

        return Environment(
            loader=PackageLoader("importer.adapters.mail"),
            autoescape=select_autoescape(enabled_extensions=("html",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def completion(
        self, report: Report, readers: Sequence[MailReader], now: datetime, pages: str = ""
    ) -> Sequence[Notice]:
        """One notice per reader about the end of the import, in any state, or about the reason why it waits.

        Duplicates and bare login names among the addresses are left out.

        The key is `import:<id>:<recipient>`, since an import ends once and a resubmitted import has another
        id. `:<number>` follows after each reopening, `:<code of the problem>` while it waits.
        """
        again = f":{report.import_.reopened}" if report.import_.reopened else ""
        if report.import_.state is State.WAITING and report.import_.problem is not None:
            again += f":{report.import_.problem.code}"
        by_address = {reader.address.strip().casefold(): reader for reader in reversed(readers)}
        voices = {to: by_address[to.casefold()].voice for to in _unique_addresses(r.address for r in readers)}
        mails = {
            voice: self._rendered(
                "completion",
                report.import_.language,
                partial(ReportMailView.of, report, voice=voice, pages=pages),
            )
            for voice in dict.fromkeys(voices.values())
        }
        return tuple(
            self._notice(f"import:{report.import_.id}:{to.casefold()}{again}", to, *mails[voice], now)
            for to, voice in voices.items()
        )

    def invitation(self, invitation: Invitation, now: datetime) -> Sequence[Notice]:
        """One notice to the owner who has to sign in. The key is `consent:<id>:<side>:<recipient>:<mail>`,
        for a reminder that a person asked for with `.<asked>`."""
        number = f"{invitation.mail}.{invitation.asked}" if invitation.asked else str(invitation.mail)
        import_, side = invitation.import_, invitation.side.value
        to = import_.account(invitation.side).address
        subject, text, html = self._rendered(
            "invitation",
            import_.language,
            partial(InvitationMailView.of, invitation),
        )
        return tuple(
            self._notice(
                f"consent:{import_.id}:{side}:{to.casefold()}:{number}", to, subject, text, html, now
            )
            for to in _unique_addresses((to,))
        )

    def batch_summary(
        self, report: BatchReport, now: datetime, pages: str = "", *, so_far: bool = False
    ) -> Sequence[Notice]:
        """One notice to the submitter, or none if the submitter is unknown.

        The key is `batch:<id>:<recipient>:<digest>`. The digest covers the ends of all rows: it changes
        when a row is run again and ends again. In place of the digest, `so-far` is for the one before.
        """
        ends = "\n".join(f"{row.import_.id} {row.import_.finished_at}" for row in report.reports)
        digest = Summary.SO_FAR.value if so_far else sha256(ends.encode()).hexdigest()[:8]
        subject, text, html = self._rendered(
            "batch",
            report.batch.language,
            lambda texts: BatchMailView.of(report, texts, pages, so_far=so_far),
        )
        return tuple(
            self._notice(f"batch:{report.batch.id}:{to.casefold()}:{digest}", to, subject, text, html, now)
            for to in _unique_addresses((report.batch.submitter,))
        )

    def _rendered(
        self,
        template: str,
        language: str,
        make_view: Callable[[CatalogTranslator], ReportMailView | BatchMailView | InvitationMailView],
    ) -> tuple[str, str, str]:
        """Subject, text and HTML in the recipient's language."""
        translator = texts(language or self._language, self._zone, self._brand.name)
        view = make_view(translator)
        functions: dict[str, Any] = {
            "_": translator.gettext,
            "ngettext": translator.ngettext,
            "t": translator,
            "states": {state.value: state_word(translator, state) for state in State},
            "names": {count: count_name(translator, count) for count in COUNTS},
        }
        context: dict[str, Any] = {
            "page": view,
            "brand": self._brand,
            "logo_url": self._logo_url,
            **functions,
        }

        def render(name: str, **more: str) -> str:
            return self._templates.get_template(name).render(**context, **more)

        subject = render(f"{template}.subject.txt").strip()
        text, html = (render(f"{template}{ending}", subject=subject) for ending in (".txt", ".html"))
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


def _unique_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """The valid addresses without duplicates, ignoring case, in order."""
    seen: dict[str, str] = {}
    for address in addresses:
        try:
            mailbox(address)
        except ValueError:
            continue
        seen.setdefault(address.strip().casefold(), address.strip())
    return tuple(seen.values())
