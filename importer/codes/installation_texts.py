"""Faults of a part of the installation or of a setting; the advice is the operator's fix."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

_OTHER_ADDRESS: Final = "Choose another address with MAILHAUL_WEB_LISTEN, such as 127.0.0.1:8026."
_SUBMIT_AGAIN: Final = "Submit the import again."
_REDIS: Final = "Run a Redis or Valkey server and set MAILHAUL_REDIS_URL."

ROWS: Final = (
    TextRow("installation", "A part of the installation cannot be used."),
    TextRow(
        "installation.disk_full",
        "The disk of %(product)s is full (%(reason)s). Nothing is lost: the work resumes automatically once there"
        " is space.",
        "Free space on the disk.",
    ),
    TextRow(
        "installation.database_unavailable",
        "The database cannot be reached (%(reason)s). Nothing is lost: the work resumes automatically once it"
        " responds.",
        "Check that it runs and that MAILHAUL_DATABASE_URL is right.",
    ),
    TextRow(
        "installation.schema_other",
        "The database schema does not match this version of Mailhaul.",
        "Run `mailhaul migrate`.",
    ),
    TextRow(
        "installation.schema_ahead",
        "A newer version of Mailhaul migrated this database.",
        "Install that version or a later one, or restore a backup of the database.",
    ),
    TextRow(
        "installation.metrics_address",
        "The metrics cannot be served at %(address)s (%(reason)s).",
        "Choose another address with MAILHAUL_METRICS_LISTEN.",
    ),
    TextRow(
        "installation.pages_address",
        "The pages cannot be served at %(address)s: %(reason)s.",
        _OTHER_ADDRESS,
    ),
    TextRow(
        "installation.pages_address.port_in_use",
        "The pages cannot be served at %(address)s: another program uses port %(port)s, perhaps"
        " `mailhaul up`, which serves the pages as well.",
        "Stop that program, or choose another port with MAILHAUL_WEB_LISTEN, such as 127.0.0.1:8026.",
    ),
    TextRow(
        "installation.pages_address.port_reserved",
        "The pages cannot be served at %(address)s: only root can use port %(port)s.",
    ),
    TextRow(
        "installation.pages_address.not_here",
        "The pages cannot be served at %(address)s: this machine does not have the address %(host)s.",
    ),
    TextRow(
        "installation.queue_silent",
        "The queue does not respond: %(reason)s.",
        "Start Redis or Valkey and check MAILHAUL_REDIS_URL, or unset it to use the embedded Valkey.",
    ),
    TextRow("installation.valkey_off", "The embedded queue is not running."),
    TextRow("installation.valkey_unstarted", "The embedded Valkey does not start: %(log)s.", _REDIS),
    TextRow("installation.valkey_missing", "The embedded Valkey does not start. %(reason)s", _REDIS),
    TextRow(
        "installation.valkey_folder_shared",
        "Other users can write to %(folder)s.",
        "Set MAILHAUL_DATA to a shorter path.",
    ),
    TextRow(
        "installation.valkey_silent",
        "The embedded Valkey of %(folder)s does not respond.",
        "End its process (valkey-server), then start Mailhaul again.",
    ),
    TextRow(
        "installation.valkey_refuses",
        "The embedded Valkey of %(folder)s refuses commands: %(reason)s.",
        "Free space on its disk; it recovers automatically.",
    ),
    TextRow(
        "installation.key_missing",
        "There is no key to encrypt passwords with.",
        "Put a Fernet key into MAILHAUL_SECRET_KEY or MAILHAUL_SECRET_KEY_FILE, or unset both.",
    ),
    TextRow(
        "installation.key_malformed",
        "A secret key is not a Fernet key (44 characters of URL-safe base64).",
        "Check MAILHAUL_SECRET_KEY or the key file.",
    ),
    TextRow(
        "installation.key_other",
        "A stored password cannot be decrypted with the current secret key.",
        "Restore the key that encrypted it, or submit the import again.",
    ),
    TextRow("installation.seal_foreign", "A stored password belongs to another import.", _SUBMIT_AGAIN),
    TextRow("installation.grant_unusable", "A stored password cannot be used.", _SUBMIT_AGAIN),
    TextRow(
        "installation.key_file_unreadable",
        "The secret key file %(file)s cannot be read: %(reason)s.",
        "Make it readable for the user that runs Mailhaul, or set MAILHAUL_SECRET_KEY instead.",
    ),
    TextRow(
        "installation.key_file_open",
        "Other users can access the secret key file %(file)s (mode %(mode)s).",
        "Run: chmod 600 %(file)s",
    ),
    TextRow(
        "installation.key_file_unmade",
        "The secret key file %(file)s cannot be created: %(reason)s.",
        "Set MAILHAUL_SECRET_KEY instead.",
    ),
    # --- Settings; the sentences of `setting_rule` complete "must be …" ---
    TextRow("setting_invalid", "%(variable)s is “%(value)s”; it must be %(rule)s."),
    TextRow(
        "setting_invalid.hidden",
        "%(variable)s cannot be used (its value is not shown); it must be %(rule)s.",
    ),
    TextRow("setting_unusable", "%(variable)s is “%(value)s”. %(problem)s"),
    TextRow("setting_unknown", "“%(name)s” is not a setting."),
    TextRow(
        "setting_data_folder",
        "MAILHAUL_DATA is “%(folder)s”, which cannot be created: %(reason)s.",
        "Set MAILHAUL_DATA to another directory.",
    ),
    TextRow(
        "setting_destination_missing",
        "MAILHAUL_DESTINATION_SERVER is not set. Users sign in with a mailbox at that server.",
        "Set it, for example to imaps://mail.example.org.",
    ),
    TextRow("setting_secrets_dir", "%(variable)s is “%(folder)s”; it must be a directory of secret files."),
    TextRow("setting_secret_file", "The file %(file)s, which sets %(variable)s, cannot be read: %(reason)s."),
    TextRow(
        "setting_secret_file.too_large",
        "The file %(file)s, which sets %(variable)s, is larger than 64 KiB.",
    ),
    TextRow("setting_secret_file.not_text", "The file %(file)s, which sets %(variable)s, is not UTF-8 text."),
    TextRow(
        "setting_given_twice",
        "%(variable)s is set, and so is the file %(file)s.",
        "Remove one of them.",
    ),
    TextRow("setting_key_file", "The file %(file)s cannot be read: %(reason)s."),
    TextRow("setting_rule", "valid"),
    TextRow("setting_rule.range", "a whole number from %(least)s to %(most)s"),
    TextRow("setting_rule.at_least", "a whole number, %(least)s or more"),
    TextRow("setting_rule.or_zero", "%(rule)s; 0: %(zero)s"),
    TextRow("setting_rule.zero_erases", "passwords are erased when the import stops"),
    TextRow("setting_rule.zero_stops", "the import stops immediately"),
    TextRow("setting_rule.flag", "true or false"),
    TextRow("setting_rule.one_of", "one of %(words)s"),
    TextRow("setting_rule.directory", "a directory"),
    TextRow("setting_rule.file", "an existing file"),
    TextRow("setting_rule.ca_file", "a PEM file with certificates"),
    TextRow("setting_rule.key_file", "a file name, and MAILHAUL_SECRET_KEY must not be set as well"),
    TextRow("setting_rule.fernet_keys", "one or more Fernet keys, separated by commas"),
    TextRow("setting_rule.logo", "a file with a PNG, JPEG or WebP image of at most 256 KiB"),
    TextRow(
        "setting_rule.colour",
        "a colour such as #0b6464 with enough contrast to white and light grey (at least 4.5, WCAG 2.2)",
    ),
    TextRow("setting_rule.name", '1 to %(most)s characters without < > " \\'),
    TextRow("setting_rule.short_text", "a text of at most %(most)s characters"),
    TextRow("setting_rule.address", "one mail address"),
    TextRow("setting_rule.addresses", "addresses such as %(example)s, separated by commas"),
    TextRow("setting_rule.url", "a URL such as %(example)s"),
    TextRow("setting_rule.web_url", "a URL with https:// or http://"),
    TextRow(
        "setting_rule.public_url",
        "a URL such as https://mailhaul.example.org; it must be set if owners can sign in",
    ),
    TextRow(
        "setting_rule.smtp_url",
        "a URL such as smtps://USER:PASSWORD@HOST or smtp://localhost; encode / # ? @ : in a password",
    ),
    TextRow("setting_rule.database_url", "a URL that starts with sqlite:/// or postgresql://"),
    TextRow("setting_rule.server", "a server such as %(example)s"),
    TextRow("setting_rule.host_port", "HOST:PORT, such as %(example)s"),
    TextRow("setting_rule.networks", "networks separated by commas, such as %(examples)s"),
    TextRow("setting_rule.proxies", "addresses or networks, separated by commas"),
    TextRow("setting_rule.origins", "origins such as https://panel.example.org, separated by commas"),
    TextRow(
        "setting_rule.domains",
        "domains such as example.org,example.com, and %(variable)s must be set as well",
    ),
    TextRow(
        "setting_rule.language",
        "one of en, de, fr, it, es, optionally with a region such as de-CH, fr-CH or en-GB",
    ),
    TextRow(
        "setting_rule.time_zone",
        "a time zone of this system's database (package tzdata), such as Europe/Zurich",
    ),
    TextRow(
        "setting_rule.connections_by_host",
        "entries such as mail.new.example=400, separated by commas, with numbers from 1 to 10000",
    ),
    TextRow(
        "setting_rule.daily_limits",
        "entries such as google=2000000000/450000000, separated by commas; 0 is no limit",
    ),
    TextRow(
        "setting_rule.master_user",
        "a name without spaces, and MAILHAUL_DESTINATION_SERVER must be set as well",
    ),
    TextRow(
        "setting_rule.master_password",
        "the password of MAILHAUL_DESTINATION_MASTER_USER; set both or neither",
    ),
    TextRow(
        "setting_rule.batch_right",
        "entries such as ada@new.example: new.example, other.example; separated by ; with domains in ASCII"
        " form, and MAILHAUL_DESTINATION_MASTER_USER must be set as well",
    ),
    TextRow("setting_rule.client_id", "the client ID of the application (%(source)s)"),
    TextRow("setting_rule.client_secret", "the client secret of %(variable)s; set both or neither"),
    TextRow("setting_rule.openid_client_id", "the client ID; set MAILHAUL_OPENID_ISSUER as well, or neither"),
    TextRow("setting_rule.claim", "the name of a claim such as email or mail_addresses"),
    TextRow(
        "setting_rule.domains_claim",
        "the name of a claim such as mail_domains, and MAILHAUL_OPENID_ISSUER and"
        " MAILHAUL_DESTINATION_MASTER_USER must be set as well",
    ),
    TextRow(
        "setting_rule.operator_claim",
        "a claim and a value such as groups=mailhaul-operators, and MAILHAUL_OPENID_ISSUER must be set as"
        " well",
    ),
    TextRow("setting_rule.scopes", "scopes separated by spaces, including openid"),
    TextRow("setting_rule.password_sign_in", "true; false only if MAILHAUL_OPENID_ISSUER is set"),
    TextRow(
        "setting_rule.webhook_secret",
        "a text of at least 16 characters; set MAILHAUL_WEBHOOK_URL as well, or neither",
    ),
)
