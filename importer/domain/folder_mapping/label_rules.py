"""Labels as folders: where a message with several labels goes.

A host with labels (Gmail) keeps each message once and shows it in the folder of each of its labels. What
is made of that is chosen per import, by a `LabelRule`.

"Most specific" is, in this order:
1. a label of the owner's before every label of the host's: whoever made a label meant more by it than
   "it came in" (the copier that lets INBOX win hears of it most: imapsync#414 and #447);
2. the deepest of them: "Clients/Ada" says more than "Clients" or "2019";
3. of equally deep ones the first by name, without regard to case;
4. without a label of the owner's: Inbox, then Drafts, then Sent; a message to oneself is in the Inbox;
5. without any: it was archived.

A message that was copied once stays where it was put, whatever happens to its labels: the engine's
receipts say where. Only EACH makes a further copy for a label that is new to the message.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class LabelRule(StrEnum):
    """What becomes of a message with several labels."""

    ONE = "one"  # one copy, in the folder of its most specific label
    KEYWORDS = "keywords"  # the same, with the others as keywords
    EACH = "each"  # one copy in the folder of each label


SENTENCES: Final = {
    LabelRule.ONE: "Each message is copied once, into the folder of its most specific label: a label of your"
    " own before Inbox, Drafts and Sent, a nested one before its parents, else the first by name.",
    LabelRule.KEYWORDS: "Each message is copied once, into the folder of its most specific label (your own"
    " before Inbox, Drafts and Sent, nested before parents, else the first by name); its other labels become"
    " keywords.",
    LabelRule.EACH: "Each message is copied into the folder of each of its labels.",
}
"""For whoever starts an import of a mailbox with labels."""


def most_specific(labels: Iterable[str], delimiter: str) -> list[str]:
    """Labels of the owner's, the most specific first; the same for any order of `labels`."""
    return sorted(labels, key=lambda label: (-label.count(delimiter), label.casefold(), label))
