"""Bounds of what one mail server may cause Mailhaul to read, hold and wait for, each with its reason.

A server is not trusted: it may answer without end, announce billions of messages or send one byte a second.
Each bound is far above what real mailboxes need (20,000 folders, a folder of a million messages, a message of
256 MiB over a slow line) and far below what one process has. Size limits of messages are a setting
(MAILHAUL_MAX_MESSAGE_MB) and not here.
"""

from __future__ import annotations

from typing import Final

# --- Memory ---------------------------------------------------------------------------------------

MAX_NAME_BYTES: Final = 64 << 10
"""A literal that is neither a message nor its header: folder names, mostly. No server stores names above a
few hundred bytes; before, the limit of messages (256 MiB) held for them too."""

MAX_HEADER_BYTES: Final = 2 << 20
"""A literal with a header. Gmail accepts 500 KB of headers, Exchange 256 KB, Postfix 100 KB by default."""

MAX_ANSWER_BYTES: Final = 16 << 20
"""An answer that is held as a whole before it is read (LIST, STATUS, SELECT, NAMESPACE, QUOTA), or those to
several such commands that were sent together. 20,000 folders listed with their status take 4.4 MB."""

MAX_ANSWER_RESPONSES: Final = 100_000
"""The number of responses in it: each takes some 350 bytes more than its text."""

MAX_UNSTATED_BYTES: Final = 32 << 20
"""How much larger than stated the messages of a batch may be before only some of them are held. Servers that
state no sizes at all send some 10 MB for 100 messages."""

MAX_FOLDERS: Final = 30_000
"""Folders of one mailbox, and lines of LIST that name none. The largest that is supported has 20,000."""

MAX_ITEM_BYTES: Final = 4 << 10
MAX_HEADER_LINES_BYTES: Final = 16 << 10
"""The size of the answer about a message without its content: for sizes, dates, flags and labels, or for a
few lines of its header, on average over the messages of one command. Servers send some 100 bytes, and 500."""

MAX_SEARCH_BYTES: Final = 12 << 20
"""A line with UIDs, which is held several times while it is parsed. A folder whose UIDs take more is listed
by UID FETCH, in ranges that cost 16 bytes each."""

MAX_FOLDER_MESSAGES: Final = 5_000_000
"""Messages that a folder may announce. The largest that is tested has a million."""

MAX_LOGIN_LINES: Final = 1_000
MAX_LOGIN_BYTES: Final = 1 << 20
"""The amount that a server may send from its greeting to the end of the login. Most send some ten lines."""

MAX_CACHED_FLAGS_BYTES: Final = 512
"""A list of flags above this size is parsed anew each time: the cache belongs to the whole process."""

# --- Responses that bring nothing -----------------------------------------------------------------

MAX_RESPONSES: Final = 250_000
"""Responses to one command whose answer is read piece by piece. Commands ask for 10,000 messages at most,
except for those that list a whole folder (`responses_for`)."""

MAX_PARTIAL_LISTS: Final = 20_000
"""Commands that list one folder whose server executes only a part of each (RFC 9738)."""

# --- Time -----------------------------------------------------------------------------------------

REQUEST_GRACE_S: Final = 2.5
"""Time that a batch gets to end by itself once a pause or cancellation is requested. With the second at most
until it is noticed and the second at most until connections are cut, a request takes effect within 5 seconds.
"""

STOP_GRACE_S: Final = 10.0
"""The same once the process has to end. It ends within 30 seconds."""

MAX_CHECK_S: Final = 300.0
"""A check of two mailboxes; one with 20,000 folders takes minutes. Hostile servers hold a slot no longer."""

MAX_LOGIN_S: Final = 45.0
"""A login that only proves a password, while its owner waits for the page. Dovecot takes up to 17 s to refuse
a wrong one."""

BATCH_S: Final = 10.0
"""How long a batch of several messages should take: on a slow line it has fewer of them. Others wait for the
thread of a leg, and a batch that was begun in time ends it late. So after the end of a leg a batch that takes
longer to be read has only the messages that came until then."""

OVERTIME_S: Final = 2700.0
"""How long any other command that was begun within a leg may go on after its end, as long as it makes
progress: 45 minutes suffice for 256 MiB at 100 kB/s."""

OVERTIME_WINDOW_S: Final = 30.0
OVERTIME_BYTES_PER_S: Final = 2048
"""Progress: more than this rate, measured over the window. A line of 1994 is slower than that only if it
stands still; a server that answers LIST for ever with some lines a second is. After a leg without progress
the next one asks for fewer messages at a time, so that slower lines get on, too."""

OVERTIME_BYTES_PER_REPLY: Final = 1024
"""A completed command counts as so many bytes: a server with thousands of folders may need its time for
each."""


def responses_for(messages: int) -> int:
    """Return how many responses a command may bring that lists a folder of so many messages."""
    return MAX_RESPONSES + 2 * min(messages, MAX_FOLDER_MESSAGES)
