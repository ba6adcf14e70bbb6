"""An IMAP server with faults that can be enabled individually, most of them from public bug reports.

Without quirks it is a plain, correct IMAP4rev1 server (RFC 3501) that keeps one mailbox in memory and accepts
every login with the password `pass`. It has neither TLS nor ENVELOPE, BODYSTRUCTURE or rare search keys.

    python -m tests.rehearsal.quirks --list                  # all quirks with the reports they imitate
    python -m tests.rehearsal.quirks --port 31001 --quirk size-nil --log -

`mail.py` is the mailbox, `session.py` one connection, built from `wire.py`, `hooks.py`, `folder_commands.py`
and `message_commands.py`; the other modules hold the quirks, each a class that overrides hooks or commands.
"""
