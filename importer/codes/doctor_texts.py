"""The doctor's findings about an installation; the advice is the operator's fix."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

_START_WORKERS: Final = "Start `mailhaul up`, or more workers (`mailhaul worker`)."
_SEE_RUNBOOK: Final = "See “Completion mails” in deploy/RUNBOOK.md for how to inspect and fix them."

ROWS: Final = (
    TextRow("doctor.database_current", "%(kind)s responds, and its schema is current."),
    TextRow(
        "doctor.database_unusable",
        "%(kind)s cannot be used: %(reason)s.",
        "Check that MAILHAUL_DATABASE_URL is right, the server is running and the disk is not full.",
    ),
    TextRow(
        "doctor.columns_missing",
        "The schema is marked as current and lacks %(columns)s.",
        "Restore a backup that this version of Mailhaul migrated; see “Schema” in deploy/RUNBOOK.md.",
    ),
    TextRow(
        "doctor.schema_ahead",
        "The schema belongs to a newer version of Mailhaul.",
        "Install that version or a later one.",
    ),
    TextRow(
        "doctor.schema_behind",
        "The schema belongs to an earlier version of Mailhaul.",
        "Run `mailhaul migrate`.",
    ),
    TextRow("doctor.schema_empty", "The database has no schema yet.", "Run `mailhaul migrate`."),
    TextRow("doctor.disk_free", "%(free)s free in %(folder)s."),
    TextRow(
        "doctor.disk_low",
        "Only %(free)s free in %(folder)s.",
        "Free space on the disk of %(folder)s, or set MAILHAUL_DATA to another directory.",
    ),
    TextRow(
        "doctor.disk_full",
        "A large message does not fit in %(folder)s (%(reason)s; %(free)s free); imports stop and wait at"
        " the first large message.",
        "Free space on the disk of %(folder)s, or set MAILHAUL_DATA to another directory.",
    ),
    TextRow("doctor.queue_responds", "The server of MAILHAUL_REDIS_URL responds."),
    TextRow("doctor.queue_embedded", "The embedded Valkey responds."),
    TextRow(
        "doctor.queue_off",
        "The embedded queue is not running; submitted imports wait for a worker.",
        "Start `mailhaul up` or `mailhaul worker`.",
    ),
    TextRow("doctor.key_fits", "The key decrypts every stored password."),
    TextRow(
        "doctor.key_other",
        (
            "%(num)s stored password cannot be decrypted with the current key.",
            "%(num)s stored passwords cannot be decrypted with the current key.",
        ),
        "Add the former key to MAILHAUL_SECRET_KEY as a second one, or submit those imports again.",
    ),
    TextRow(
        "doctor.workers_none",
        ("No worker is running; %(num)s import is due.", "No worker is running; %(num)s imports are due."),
        _START_WORKERS,
    ),
    TextRow(
        "doctor.workers_absent",
        (
            "%(num)s import is due, for %(age)s; no worker runs it.",
            "%(num)s imports are due, the oldest for %(age)s; no worker runs them.",
        ),
        _START_WORKERS,
    ),
    TextRow(
        "doctor.workers_late",
        (
            "%(num)s import is due, for %(age)s; the running workers (%(workers)s) do not keep up.",
            "%(num)s imports are due, the oldest for %(age)s; the running workers (%(workers)s) do not keep"
            " up.",
        ),
        _START_WORKERS,
    ),
    TextRow(
        "doctor.maintenance",
        (
            "Maintenance for %(age)s, by %(by)s: %(num)s import is held.",
            "Maintenance for %(age)s, by %(by)s: %(num)s imports are held.",
        ),
        "When it is over: `mailhaul maintenance off`.",
    ),
    TextRow(
        "doctor.workers_run",
        (
            "%(num)s worker is running. Imports that are due: %(due)s, none for long.",
            "%(num)s workers are running. Imports that are due: %(due)s, none for long.",
        ),
    ),
    TextRow(
        "doctor.worker_silent",
        "Worker %(worker)s has not reported for %(silence)s: it was killed, is frozen, or is cut off from"
        " the database.",
        "Look at that process and its machine, and restart it. Its imports are taken over. A worker that"
        " does not come back disappears here after an hour.",
    ),
    TextRow(
        "doctor.clock_ahead",
        "The clock of worker %(worker)s is %(skew)s ahead of the database's.",
        "Let a time service (chrony, systemd-timesyncd) set the clocks of both machines.",
    ),
    TextRow(
        "doctor.clock_behind",
        "The clock of worker %(worker)s is %(skew)s behind the database's.",
        "Let a time service (chrony, systemd-timesyncd) set the clocks of both machines.",
    ),
    TextRow("doctor.mail_accepts", "The mail server accepts the connection."),
    TextRow(
        "doctor.mail_off",
        "No mail server is configured, so no mail is sent when an import ends.",
        "Set MAILHAUL_SMTP_URL, for example smtp://localhost or smtps://user:password@mail.example.org.",
    ),
    TextRow(
        "doctor.mail_unusable",
        "The mail server cannot be used: %(reason)s.",
        "Check MAILHAUL_SMTP_URL: host, port, encryption, user and password.",
    ),
    TextRow(
        "doctor.mail_unusable.certificate",
        "The certificate of %(server)s is refused: %(reason)s.",
        "Check the host name in MAILHAUL_SMTP_URL, or set MAILHAUL_CA_FILE for a private certificate authority.",
    ),
    TextRow("doctor.mail_unusable.unreachable", "%(server)s cannot be reached: %(reason)s."),
    TextRow("doctor.mail_unusable.unreachable.silent", "%(server)s cannot be reached: no reply in time."),
    TextRow(
        "doctor.mail_unusable.unreachable.closed", "%(server)s cannot be reached: the connection was lost."
    ),
    TextRow("doctor.mail_unusable.starttls_refused", "%(server)s replies to STARTTLS with: %(reply)s"),
    TextRow(
        "doctor.mail_unusable.starttls_missing",
        "%(server)s offers no STARTTLS, and encryption is required.",
    ),
    TextRow(
        "doctor.mail_unusable.no_encryption",
        "%(server)s offers no encryption, and a password is not sent without it.",
        "Use smtps:// in MAILHAUL_SMTP_URL, or remove user and password.",
    ),
    TextRow(
        "doctor.mail_unusable.login_mechanism",
        "%(server)s offers no supported login mechanism (PLAIN, LOGIN).",
    ),
    TextRow(
        "doctor.mail_unusable.login_refused",
        "%(server)s does not accept user name and password (%(reply)s).",
        "Check user and password in MAILHAUL_SMTP_URL.",
    ),
    TextRow(
        "doctor.outbox_unknown",
        (
            "%(num)s mail was being sent when its worker ended; whether it was sent is unknown.",
            "%(num)s mails were being sent when their workers ended; whether they were sent is unknown.",
        ),
        _SEE_RUNBOOK,
    ),
    TextRow(
        "doctor.outbox_refused", ("%(num)s mail was refused.", "%(num)s mails were refused."), _SEE_RUNBOOK
    ),
    TextRow(
        "doctor.outbox_late",
        (
            "%(num)s mail has been waiting for more than an hour; in all %(pending)s wait.",
            "%(num)s mails have been waiting for more than an hour; in all %(pending)s wait.",
        ),
        _SEE_RUNBOOK,
    ),
    TextRow(
        "doctor.outbox_moves",
        (
            "%(num)s mail is waiting to be sent; none is stuck.",
            "%(num)s mails are waiting to be sent; none is stuck.",
        ),
    ),
    TextRow("doctor.destination_responds", "%(server)s responds and is encrypted as configured."),
    TextRow(
        "doctor.destination_unset",
        "No destination server is configured, so every import must name one.",
        "Set MAILHAUL_DESTINATION_SERVER, for example imaps://mail.example.org.",
    ),
    TextRow(
        "doctor.destination_unusable",
        "%(problem)s",
        "Check MAILHAUL_DESTINATION_SERVER, and MAILHAUL_CA_FILE for a private certificate authority.",
    ),
    TextRow("doctor.certificates_none", "No server with a certificate is configured."),
    TextRow(
        "doctor.certificates_last",
        (
            "The certificates are valid for %(num)s more day.",
            "The certificates are valid for %(num)s more days.",
        ),
    ),
    TextRow(
        "doctor.certificate_ends",
        (
            "The certificate of %(server)s expires in %(num)s day.",
            "The certificate of %(server)s expires in %(num)s days.",
        ),
        "Renew it and reload the server. If it renews itself, look why that failed.",
    ),
    TextRow(
        "doctor.certificate_unknown",
        "The certificate of %(server)s cannot be checked: %(reason)s.",
        "Check MAILHAUL_PUBLIC_URL and the proxy, or whether this machine may connect to it.",
    ),
)
