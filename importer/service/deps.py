"""What the use cases work with. Built once, by bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from importer.compact.digest_set import Digests, DigestSet
from importer.domain.model import Account
from importer.domain.planning.host_allowance import Allowance
from importer.engine.leg_context import TransferLimits
from importer.ports.mailbox import SessionFactory
from importer.ports.notices import Composer, Mailer
from importer.ports.process import Clock, Queue
from importer.ports.store import Store
from importer.ports.vault import Vault
from importer.ports.webhook_calls import WebhookSender
from providers.endpoint import Secret
from providers.mailbox_access import MailboxAccess, PasswordsOnly, People
from providers.master_user import MasterUser


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a leg lasts, how long a silent worker keeps its leases, and how long an owner may take to
    sign in."""

    leg: timedelta = timedelta(minutes=5)
    lease: timedelta = timedelta(seconds=60)
    consent: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where programs want to be called, and what signs the calls."""

    url: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """How mails are written, and how they leave."""

    composer: Composer
    mailer: Mailer


@dataclass(frozen=True, slots=True)
class Deps:
    """The dependencies of every use case.

    `outgoing_mail` is None if no mail server is configured; then no mails are composed either. `public_url` is
    the address of the web pages. If `revokes_consents` is set, an import's consents are revoked at their
    providers when it ends.
    """

    store: Store
    sessions: SessionFactory
    queue: Queue
    vault: Vault
    outgoing_mail: OutgoingMail | None
    clock: Clock
    is_notice: Callable[[bytes], bool]
    lease_owner: str  # names this process in leases
    allowance: Callable[[Account], Allowance] = lambda _account: Allowance()  # what its host allows
    access: MailboxAccess = field(default_factory=PasswordsOnly)  # the ways in beside passwords
    master_user: MasterUser | None = None  # of the host that imports go to
    administrators: Mapping[str, frozenset[str]] = field(default_factory=dict)  # address -> their domains
    identity_provider: People | None = None  # who signs in to the pages without a password of ours
    stopping: Callable[[], bool] = lambda: False  # the process wants to end: finish the batch and no more
    transfer_limits: TransferLimits = field(default_factory=TransferLimits)
    digests: Callable[[int], DigestSet] = lambda _expected: Digests()  # an empty set for about so many
    public_url: str = ""
    revokes_consents: bool = True
    deadlines: Deadlines = field(default_factory=Deadlines)
    webhook_sender: WebhookSender | None = None  # None: nobody is called
    webhook: Webhook | None = None  # of the installation: hears of every import
