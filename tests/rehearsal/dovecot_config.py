"""The configuration file of a rehearsal Dovecot 2.3."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rehearsal.dovecot import DovecotOptions

SPECIAL_USE = {
    "Sent": "\\Sent",
    "Drafts": "\\Drafts",
    "Trash": "\\Trash",
    "Junk": "\\Junk",
    "Archive": "\\Archive",
}
MAIL_USER = "nobody"  # owns the mail when root starts the server

# Failed logins are answered immediately. Otherwise the penalty delays later logins from 127.0.0.1 by 15 s.
_COMMON = """\
protocols = imap
listen = 127.0.0.1
auth_failure_delay = 0
mail_max_userip_connections = 1000
shutdown_clients = yes
default_vsz_limit = 0
ssl = required
ssl_min_protocol = TLSv1.2
first_valid_uid = 1
first_valid_gid = 1
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
"""

_PASSDB = """\
uri = fs:posix:prefix={home}/{place}/
passdb_objects = passdb
key passdb {{
  key = passdb/%u
  format = json
}}
"""


# There are two: a token opens the mailbox that it names or, if it says so, every mailbox. The login and the
# token's user name must be equal after both are formatted with `username_format`.
_OAUTH2 = """\
introspection_url = {url}
introspection_mode = post
active_attribute = {active[0]}
active_value = {active[1]}
username_attribute = username
username_format = {same}
"""


_COMPRESS = """\
protocol imap {
  mail_plugins = $mail_plugins imap_zlib
}
"""


def write_config(
    path: Path, options: DovecotOptions, tls_port: int, starttls_port: int, capability: str | None
) -> None:
    """Write `path`, next to `users/`, `masters/` and a `.conf` for each, `cert.pem`, `key.pem`, `mail/` and
    `run/`.

    Each user is a file in `users/passdb`, which is read at every login. A passwd-file would be re-read at
    most once a second.
    """
    for name, place in (("passdb.conf", "users"), ("masters.conf", "masters")):
        told = _PASSDB.format(home=path.parent, place=place)
        (path.parent / name).write_text(told, encoding="utf-8")
    path.write_text(
        "\n".join(
            (
                _COMMON,
                _mechanisms(path.parent, options),
                _masters(path.parent, options),
                _users_and_places(path.parent),
                _services(tls_port, starttls_port),
                _mail(options),
                _namespace(options),
                _quota(options),
                _COMPRESS if options.compress else "",
                f"imap_capability = {capability}\n" if capability else "",
            )
        ),
        encoding="utf-8",
    )


def internal_user_and_group() -> tuple[str, str]:
    """The user and group of Dovecot's processes: its system user if started by root, else the current one."""
    if os.geteuid() == 0:
        return "dovecot", "dovecot"
    return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name


def _mechanisms(home: Path, options: DovecotOptions) -> str:
    if not options.introspection_url:
        return "auth_mechanisms = plain login\n"
    blocks = ["auth_mechanisms = plain login xoauth2 oauthbearer\n"]
    for active, same in ((("active", "true"), "%u"), (("opens", "every-mailbox"), "anybody")):
        file = home / f"oauth2-{active[0]}.conf"
        told = _OAUTH2.format(url=options.introspection_url, active=active, same=same)
        file.write_text(told, encoding="utf-8")
        blocks.append(
            f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {file}\n}}\n"
        )
    return "".join(blocks)


def _masters(home: Path, options: DovecotOptions) -> str:
    """https://doc.dovecot.org/2.3/configuration_manual/authentication/master_users/ (2026-11).

    With `continue`, Dovecot also looks the mailbox up among the users.
    """
    if not options.masters:
        return ""
    both = f"auth_master_user_separator = {options.master_separator}\n" if options.master_separator else ""
    return f"""\
{both}passdb {{
  driver = dict
  master = yes
  result_success = continue
  mechanisms = plain login none
  args = {home}/masters.conf
}}
"""


def _users_and_places(home: Path) -> str:
    user, group = internal_user_and_group()
    login_user, mail_user = ("dovenull", MAIL_USER) if os.geteuid() == 0 else (user, user)
    mail_group = grp.getgrgid(pwd.getpwnam(mail_user).pw_gid).gr_name
    return f"""\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/dovecot.log
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {login_user}
passdb {{
  driver = dict
  mechanisms = plain login none
  args = {home}/passdb.conf
}}
userdb {{
  driver = static
  args = uid={mail_user} gid={mail_group} home={home}/mail/%u
}}
"""


def _services(tls_port: int, starttls_port: int) -> str:
    return f"""\
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {starttls_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service imap {{
  process_limit = 200
  service_count = 100
}}
"""


def _mail(options: DovecotOptions) -> str:
    # With "/" the folders are directories, so that names may contain dots. With "." they are Maildir++.
    layout = ":LAYOUT=fs" if options.mail_driver == "maildir" and options.separator == "/" else ""
    return f"""\
mail_location = {options.mail_driver.removesuffix("++")}:~/mail{layout}
mail_fsync = {"optimized" if options.fsync else "never"}
"""


def _namespace(options: DovecotOptions) -> str:
    folders = "".join(
        f"  mailbox {name} {{\n    auto = subscribe\n    special_use = {use}\n  }}\n"
        for name, use in SPECIAL_USE.items()
        if options.special_use
    )
    prefix = f"  prefix = {options.prefix}\n" if options.prefix else ""
    return f"namespace inbox {{\n  inbox = yes\n  separator = {options.separator}\n{prefix}{folders}}}\n"


def _quota(options: DovecotOptions) -> str:
    if options.quota_bytes is None and options.max_mail_bytes is None:
        return ""
    rule = f"  quota_rule = *:bytes={options.quota_bytes}\n" if options.quota_bytes is not None else ""
    largest = (
        f"  quota_max_mail_size = {options.max_mail_bytes}B\n" if options.max_mail_bytes is not None else ""
    )
    return f"""\
mail_plugins = quota
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_grace = 0
{rule}{largest}}}
"""
