"""Label rules: the destination folders of a message that has several labels.

A host with labels (Gmail) stores each message once and shows it in the folder of each of its labels. A
`LabelRule`, chosen per import, determines the folders that it is copied to.

The most specific label is chosen in this order:
1. A label that the mailbox owner created precedes every label of the host, because it carries more meaning
   than "received" (for a copier that prefers INBOX, this is a frequent complaint: imapsync#414 and #447).
2. Of those, the deepest: "Clients/Ada" is more specific than "Clients" or "2019".
3. Of equally deep ones, the first by name, ignoring case.
4. Without an owner's label: Inbox, then Drafts, then Sent. A message to oneself is in the Inbox.
5. Without any label, the message was archived.

A message that was copied once stays in its folder, however its labels change: the receipts record the folder.
Only EACH adds a copy for a label that is new to the message.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class LabelRule(StrEnum):
    """The rule for the copies of a message with several labels."""

    ONE = "one"  # one copy, in the folder of its most specific label
    KEYWORDS = "keywords"  # the same, with the other labels as keywords
    EACH = "each"  # one copy in the folder of each label


def most_specific(labels: Iterable[str], delimiter: str) -> list[str]:
    """The owner's labels, the most specific first; independent of the order of `labels`."""
    return sorted(labels, key=lambda label: (-label.count(delimiter), label.casefold(), label))
