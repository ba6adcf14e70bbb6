"""All numbers of retries and waits, from the whole import down to one command, each with its reason.
`retry_policy.py` applies them between legs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

# --- Between legs ---------------------------------------------------------------------------------------

RECONNECT_WAITS_S: Final = (1, 2, 5, 15, 60, 300, 900)
"""Waiting times after a lost connection."""

AWAY_WAITS_S: Final = (30, 60, 120, 300, 900, 1800, 3600)
"""Waiting times if a server is unavailable, or throttles without naming a time."""

PATIENCE: Final = 30
"""Legs without progress before an import that has made progress before is given up: about a day."""

PATIENCE_UNPROVEN: Final = 5
"""The same for an import without any progress: a mistyped port is reported within half an hour."""

REFUSED_WAITS_S: Final = (60, 300, 900)
"""Waiting times if a host rejects a login that it accepted earlier in the same import with the same password,
which is mostly a temporary fault of the host. The import stops if more logins fail than there are waiting
times here, at least two of them in a row."""

OWN_HOST_WAITS: Final = (timedelta(seconds=30), timedelta(minutes=5))
"""Shortest and longest wait for the installation's own mail host; between them as long as it has been away
already. The longest is short, since all imports stand still and the operator is at work."""

MASTER_PATIENCE: Final = timedelta(days=1)
"""How long a master user that is refused at a mailbox that it opened before counts as the operator's fault;
then the mailbox is gone."""

FULL_MAILBOX_WAITS: Final = (timedelta(minutes=5), timedelta(hours=1))
"""Shortest and longest wait between two looks at a new mailbox that is full; between them as long as it has
been full already: an owner who makes room right after the mail sees the copy go on within minutes."""

MAILBOX_BUSY_WAIT: Final = timedelta(seconds=5)
"""Until an import asks again whether the other one that writes to its mailbox is done."""

SLOT_WAITS: Final = (timedelta(seconds=0.5), timedelta(seconds=10))
"""Shortest and longest wait for a free slot before an import tries again; between them half as long as it has
waited already. A leg of a small mailbox frees its slot within a second, and nothing logs in before a slot is
free, so that a try costs some ten statements."""

DEFAULT_PAUSE: Final = timedelta(seconds=AWAY_WAITS_S[0])
"""Length of a pause that a host requests without naming a duration, if nothing has backed off from it yet."""

DISK_FULL_WAIT: Final = timedelta(seconds=60)
"""The wait before Mailhaul writes to its own full disk again."""

KEY_MISSING_WAIT: Final = timedelta(minutes=1)
"""The same for passwords that no configured key opens."""

KEY_ROTATION_PASSES: Final = 5
"""Passes of `keys rotate` until one finds nothing: a process that was not restarted uses its older key."""

DATABASE_LOST_WAIT: Final = timedelta(seconds=5)
"""The same for a lost database: it has answered again, or the wait could not be stored."""

INTERNAL_ERROR_ATTEMPTS: Final = 3
INTERNAL_ERROR_WAIT: Final = timedelta(seconds=60)
"""An internal error mostly repeats itself; a restart or an update may have fixed it."""

RING_ATTEMPTS: Final = 5
"""How often another process may be faster to the chosen import before this ring is dropped; the tick rings
again."""

# --- A folder or a message, over several legs -----------------------------------------------------------

MAX_UNREAD_ATTEMPTS: Final = 4
"""Legs without progress in a row after which a message that breaks the connection is refused. Together these
legs wait for half a minute, in which a disturbed network recovers."""

LEGS_WITH_SECOND_ATTEMPTS: Final = 2
"""Legs without progress after which a refused message is not tried again: there was no time for it."""

MAX_SOLO_ATTEMPTS: Final = 9
"""Legs without progress until a message that is sent alone is refused. Batches of 100 halve to 1 in seven."""

PATIENCE_WITH_FOLDER: Final = 3
"""Legs without progress after which a folder that ends connections is given up."""

# --- Within a leg ---------------------------------------------------------------------------------------

MAX_PASSES: Final = 12
"""Passes over one pair in a leg. Each further one is caused by messages in doubt, or by trouble."""

MAX_LOST_ALONE: Final = 3
"""Connections that end at a message sent alone, before the cause is decided."""

MAX_VERDICTS_IN_A_ROW: Final = 5
"""Messages that may be refused one after another because they end connections. If no other message is stored
in between, the server is at fault, and the leg ends."""

MAY_APPEAR_FOR: Final = timedelta(hours=1)
"""After the end of an import, the time in which copies that the destination accepted, without a UID, and that
no recount saw are not sent again: a virus scan may hold mail for many minutes."""

MOST_WITHOUT_ROOM: Final = 5
"""Folders of a destination that have no room, one after the other, after which the whole mailbox has none: a
quota may be that of one folder, and each further folder costs a message that is sent in vain."""

MAX_RENEWALS: Final = 8
"""Connections of a leg that are opened only to rule out that the old one is the reason for a refusal."""

BODY_READ_ATTEMPTS: Final = 2
"""To read a body at the destination: a message that vanished meanwhile does not come the second time."""

# --- One command of a session ---------------------------------------------------------------------------

IMAP_CONNECT_ATTEMPTS: Final = 3
IMAP_CONNECT_WITHIN_S: Final = 8.0
"""To reach a server that refuses the connection: a restart behind a load balancer takes a few seconds, and a
person may be waiting."""

MAX_READ_ATTEMPTS: Final = 3
"""Attempts of a read that makes no progress before its error is raised to the caller."""

MAX_SILENT_CONNECTIONS: Final = 3
"""Connections of a session on which nothing was answered after the login, after which no further read is
tried: each costs one more timeout. The first may be lost over commands sent ahead, the second over ID."""

MAX_VIOLATIONS: Final = 2
"""Invalid responses for one message, after which it is not requested again."""

LOST_CONNECTION_BUDGET_S: Final = 600.0
"""Total time that one fetch may spend on waits that end in a lost connection. Without it, a network that
drops large packets would be mistaken for one bad message after another, each after minutes of silence."""

MAX_CONSECUTIVE_FAILURES: Final = 5
"""Consecutive messages that may fail before the server is considered at fault. Some servers send
[UNAVAILABLE], or close the connection, because of one bad message, others during an outage."""

MAX_LOSSES_AHEAD: Final = 2
"""Consecutive connections lost while commands were sent ahead, after which none is sent ahead."""

MAX_RESUMPTIONS: Final = 3
"""How often commands are sent ahead again at an account after that."""

MAX_CREATES_LOST: Final = 10
"""CREATEs in a row that end the connection twice: each is a refusal until the server is at fault."""

MAX_SUBSCRIBES_LOST: Final = 2
"""SUBSCRIBEs that end the connection, after which no folder is subscribed at that account."""

MAX_SELECTS_LOST: Final = 2
"""SELECTs in a row that end the connection, after which folders are opened with EXAMINE alone."""

UID_LIST_ROUNDS: Final = 2
"""Mail may arrive or vanish between the count and the list: only a repeated difference counts."""

# --- Mails and webhooks ---------------------------------------------------------------------------------

SMTP_CONNECT_ATTEMPTS: Final = 3
"""Within one delivery; the next one follows after MAIL_RETRY_WAITS_S."""

MAIL_RETRY_WAITS_S: Final = (60, 300, 900, 3600, 4 * 3600)
MAX_MAIL_ATTEMPTS: Final = 20
"""Together about two and a half days, in which a mail server is repaired."""

WEBHOOK_RETRY_WAITS_S: Final = (5, 60, 300, 1800, 7200, *(h * 3600 for h in (5, 10, 14, 20, 24)))
"""Between three and four days, so that a receiver that breaks on a Friday gets its calls on Monday."""
