"""The dependencies of the use cases. Built once by `importer.bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING

from importer.compact.digest_set import Digests, DigestSet
from importer.domain.brand import PRODUCT
from importer.domain.lifetimes import Lifetimes
from importer.domain.model import Account, ImportId
from importer.domain.people.mail_recipients import is_host_of_domain
from importer.domain.planning.cutover import PassTimes
from importer.domain.planning.host_allowance import Allowance
from importer.engine.leg_context import TransferLimits
from importer.ports.mailbox import SessionFactory
from importer.ports.notices import Composer, Mailer
from importer.ports.process import Clock, Queue
from importer.ports.store import Store
from importer.ports.vault import Vault
from importer.ports.webhook_calls import WebhookSender
from importer.service.legs.lane_shares import LaneShares
from importer.service.legs.process_legs import ProcessLegs
from providers.endpoint import Endpoint, Secret
from providers.frozen import frozen
from providers.mailbox_access import MailboxAccess, PasswordsOnly, People
from providers.master_user import MasterUser

if TYPE_CHECKING:  # few processes use these
    from importer.ports.personal_data import PersonalRecords
    from importer.ports.retention import Retention
    from importer.ports.signer import Signer


@frozen
class Deadlines:
    """The duration of a leg, of a lease that is not renewed, of an owner's consent request, of a web session
    without use."""

    leg: timedelta = timedelta(minutes=5)
    lease: timedelta = timedelta(seconds=60)
    consent: timedelta = timedelta(days=14)
    kept_grants: timedelta = timedelta(0)  # how long grants stay after a stop
    full_mailbox: timedelta = timedelta(days=7)  # how long an import waits for room
    passes: PassTimes = field(
        default_factory=PassTimes
    )  # of imports that fetch new mail until their domain has moved
    session_idle: timedelta = timedelta(hours=2)  # a web session that is not used ends


@frozen
class Quotas:
    """The quotas of one customer, a person or an API client; the console has none.

    `running`: imports that run at a time, all workers together. `person_starts`, `client_starts`: imports
    that a person starts on the pages, and a client in the API, in 24 hours. None: no limit.
    """

    running: int | None = None
    person_starts: int | None = 500
    client_starts: int | None = None


@frozen
class Webhook:
    """A webhook: its URL and the secret that signs the calls."""

    url: str
    secret: Secret


@frozen
class OutgoingMail:
    """The composer and the sender of mails."""

    composer: Composer
    mailer: Mailer


@frozen
class Deps:
    """The dependencies of every use case.

    `outgoing_mail` is None if no mail server is configured; then no mails are composed either. `public_url`
    is the address of the web pages. If `revokes_consents` is set, an import's consents are revoked at their
    providers when it ends.
    """

    store: Store
    sessions: SessionFactory
    queue: Queue
    vault: Vault
    outgoing_mail: OutgoingMail | None
    clock: Clock
    is_notice: Callable[[bytes], bool]
    lease_owner: str  # identifies this process in leases
    allowance: Callable[[Account], Allowance] = lambda _account: (
        Allowance()
    )  # the limits of the account's host
    mail_exchangers: Callable[[str], Sequence[str]] = (
        lambda _domain: ()
    )  # of a domain, the preferred first; raises LookupFailed (providers/discovery.py)
    known_mx: Callable[[str], Sequence[str]] = lambda _host: ()  # of the provider with that IMAP server
    access: MailboxAccess = field(default_factory=PasswordsOnly)  # login methods other than passwords
    own_host: Endpoint | None = None  # the destination of the installation: its operator's responsibility
    master_user: MasterUser | None = None  # of the destination host
    administrators: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # address -> administered domains
    operators: frozenset[str] = frozenset()  # addresses at `own_host` that sign in to the pages as operators
    identity_provider: People | None = None  # for sign-in to the web pages without a mailbox password
    stopping: Callable[[], bool] = lambda: (
        False
    )  # the process is shutting down: finish the current batch only
    must_yield: Callable[[ImportId], bool] = lambda _id: (
        False
    )  # other persons wait for the thread of this import's leg
    transfer_limits: TransferLimits = field(default_factory=TransferLimits)
    max_message_bytes: int = 256 << 20  # the largest message that is copied
    digests: Callable[[int], DigestSet] = lambda _expected: (
        Digests()
    )  # an empty set for about that many digests
    public_url: str = ""
    product: str = PRODUCT  # the name by which customers know this service
    revokes_consents: bool = True
    invites_everyone: bool = False  # also owners whom people without the batch right name
    is_proven: Callable[[Account], bool] = is_host_of_domain  # whether a login there proves the address
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    retention: Retention | None = None  # None: nothing is removed by age
    personal_records: PersonalRecords | None = None  # for requests about a person's data
    quotas: Quotas = field(default_factory=Quotas)
    deadlines: Deadlines = field(default_factory=Deadlines)
    lane_shares: LaneShares = field(default_factory=lambda: LaneShares(1000))  # of this process
    process_legs: ProcessLegs = field(default_factory=ProcessLegs)
    signer: Signer | None = None  # None: evidence is not sealed
    webhook_sender: WebhookSender | None = None  # None: no webhooks are called
    webhook: Webhook | None = None  # of the installation: receives the events of all imports
