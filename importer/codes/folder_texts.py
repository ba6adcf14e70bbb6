"""Folders and mailboxes that cannot be read or written to in full."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    TextRow(
        "folder_unusable",
        sentence="A folder cannot be opened or created on %(host)s.",
        cause="A folder cannot be opened or created. Usually it is a line in the report and stops nothing.",
        operator_advice="If it stops an import, the server refuses something basic. See `server_text`.",
    ),
    TextRow(
        "folder_left_out",
        cause="A folder holds no mail, such as a calendar at Exchange. A line in the report; it stops nothing.",
        operator_advice="Nothing.",
    ),
    TextRow(
        "folder_changed",
        sentence="A folder was changed while it was being copied.",
        cause="A folder was created again during the copy. The next leg plans again.",
        operator_advice="Nothing. If it recurs, the server renumbers its folders: report it to its operator.",
    ),
    TextRow(
        "mail_hidden",
        sentence="%(host)s shows only part of the mail to other programs. The owner of the mailbox can change this in its settings.",
        cause="Gmail shows programs only a part of the mail: “All Mail” is hidden, or folders are limited to a number of messages.",
        operator_advice="The owner changes the setting that the message names; submit again.",
    ),
    TextRow(
        "destination_full",
        sentence="The new mailbox is full. Free up space or get more, then start the import again.",
        exit_code=4,
        cause="The new mailbox is full.",
        operator_advice="Make room or raise its quota, then submit again.",
    ),
)
