"""The configuration files of a rehearsal Cyrus IMAP 3."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.rehearsal.dovecot_config import SPECIAL_USE
from tests.rehearsal.unpacked import server_user

if TYPE_CHECKING:
    from tests.rehearsal.cyrus import CyrusOptions

# User names may be addresses. Mailboxes are created at the first login (imapd.conf(5)).
_IMAPD = """\
configdirectory: {home}/config
defaultpartition: default
partition-default: {home}/mail
proc_path: {home}/config/proc
mboxname_lockpath: {home}/config/lock
cyrus_user: {user}
admins: cyrus-admin
servername: localhost
allowplaintext: yes
failedloginpause: 0
virtdomains: userid
defaultdomain: localhost
conversations: off
sievedir: {home}/config/sieve
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {home}/users/sasldb
sasl_mech_list: PLAIN LOGIN
tls_server_cert: {home}/cert.pem
tls_server_key: {home}/key.pem
autocreate_quota: {quota_kib}
unixhierarchysep: {unix_separator}
altnamespace: {no_prefix}
munge8bit: {munges_8bit}
"""

_SERVICES = """\
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -C {home}/imapd.conf" listen="127.0.0.1:{starttls_port}" prefork=0
  imaps cmd="{programs}/imapd -C {home}/imapd.conf -s" listen="127.0.0.1:{tls_port}" prefork=0
}}
EVENTS {{
}}
"""


def write_config(
    home: Path, options: CyrusOptions, programs: Path, tls_port: int, starttls_port: int
) -> None:
    """Write `imapd.conf` and `cyrus.conf` into `home`, next to `config/`, `mail/`, `users/`, `cert.pem` and
    `key.pem`."""
    folders = "|".join(SPECIAL_USE)
    autocreate = [f"autocreate_inbox_folders: {folders}", f"autocreate_subscribe_folders: {folders}"]
    autocreate += [f"xlist-{use.lstrip(chr(92)).lower()}: {name}" for name, use in SPECIAL_USE.items()]
    main = _IMAPD.format(
        home=home,
        user=server_user(),
        quota_kib=options.quota_kib or 0,
        unix_separator=_yes(options.separator == "/"),
        no_prefix=_yes(not options.prefix),
        munges_8bit=_yes(options.munges_8bit),
    )
    (home / "imapd.conf").write_text(main + ("\n".join(autocreate) + "\n" if options.special_use else ""))
    (home / "cyrus.conf").write_text(
        _SERVICES.format(home=home, programs=programs, tls_port=tls_port, starttls_port=starttls_port)
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
