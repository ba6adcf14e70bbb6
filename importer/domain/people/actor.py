"""An actor: on whose behalf imports are submitted, with the rights of that person or program."""

from __future__ import annotations

from importer.domain.people.batch_right import NO_RIGHT, BatchRight
from providers.frozen import frozen


@frozen
class Actor:
    """The submitter of imports. Made once per request: by `cli/console_actor.py` for the console, by
    `web/request_context.py` for a web user, by `web/api/authentication.py` for an API client.

    `owner` is the PersonId that may view the imports; the console has none. `right` covers the destinations
    that may be opened without their passwords. With `organisation`, grants that an organisation gave for all
    its mailboxes may be used: for operators of the installation only. `notify` is the mail address that also
    receives the reports; `language` is that of the mails, "" for the default of the installation.
    """

    owner: str = ""
    right: BatchRight = NO_RIGHT
    organisation: bool = False
    notify: str = ""
    language: str = ""

    @property
    def is_trusted(self) -> bool:
        """Whether mails may go to people who are not proven to own their mailboxes yet."""
        return self.right.any or not self.owner.startswith(("mailbox:", "openid:"))
