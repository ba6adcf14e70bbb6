"""The compared copiers: for each, the command that a user would run, and how its copy is checked."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Check(StrEnum):
    """The definition of a correct copy, given the documented behaviour of the copier."""

    ONCE = "byte-exact, duplicates once"
    EXACT = "byte-exact"
    UNSUBSCRIBED = "byte-exact, subscriptions aside"
    COUNTS = "number of messages per folder only"


@dataclass(frozen=True, slots=True)
class Login:
    """Access to a mailbox: unencrypted, on a port of 127.0.0.1."""

    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Route:
    """Source and destination of a copy. `home` is the copier's own directory, empty before its first copy.

    `store_config` is the configuration of the destination's Dovecot, for a copier that writes into its store.
    """

    source: Login
    destination: Login
    home: Path
    store_config: Path


@dataclass(frozen=True, slots=True)
class Copier:
    """A copier. `command` writes its files into the route's home and returns the command line, which runs
    with `environment`.

    With `waits`, the copier waits for each message and gets fewer messages in cases with delay. With
    `on_demand`, it only runs if it is requested by name.
    """

    name: str
    program: str
    command: Callable[[Route], tuple[str, ...]]
    check: Check
    waits: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    on_demand: bool = False

    def installed(self) -> bool:
        return shutil.which(self.program) is not None


def _secret_file(route: Route, name: str, text: str) -> str:
    path = route.home / name
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return str(path)


def _password_files(route: Route) -> tuple[str, str]:
    old = _secret_file(route, "source.password", route.source.password + "\n")
    return old, _secret_file(route, "destination.password", route.destination.password + "\n")


def _mailhaul(route: Route) -> tuple[str, ...]:
    words = [sys.executable, "-m", "importer.cli", "copy", "--allow-plaintext"]
    words += ["--data", str(route.home / "data")]
    sides = zip(("from", "to"), (route.source, route.destination), _password_files(route), strict=True)
    for side, login, password_file in sides:
        words += [f"--{side}", f"imap://{login.user}@127.0.0.1:{login.port}"]
        words += [f"--{side}-password-file", password_file]
    return tuple(words)


def _doveadm(route: Route) -> tuple[str, ...]:
    # Features and prefetching follow Dovecot's migration guide; without prefetching it waits for every single
    # message.
    settings = f"""\
!include {route.store_config}
imapc_host = 127.0.0.1
imapc_port = {route.source.port}
imapc_user = {route.source.user}
imapc_password = {route.source.password}
imapc_features = rfc822.size fetch-headers
mail_prefetch_count = 20
"""
    config = _secret_file(route, "doveadm.conf", settings)
    return ("doveadm", "-c", config, "sync", "-1", "-R", "-u", route.destination.user, "imapc:")


def _mbsync(route: Route) -> tuple[str, ...]:
    stores = "".join(
        f"""\
IMAPAccount {name}
Host 127.0.0.1
Port {login.port}
User {login.user}
Pass {login.password}
SSLType None
AuthMechs LOGIN
Timeout 120

IMAPStore {name}
Account {name}

"""
        for name, login in (("old", route.source), ("new", route.destination))
    )
    channel = f"""\
Channel all
Far :old:
Near :new:
Patterns *
Create Near
Sync Pull
CopyArrivalDate yes
SyncState {route.home}/
"""
    return ("mbsync", "-q", "-c", _secret_file(route, "mbsyncrc", stores + channel), "-a")


def _imapsync(route: Route, *options: str) -> tuple[str, ...]:
    words = ["imapsync", "--nolog", "--noreleasecheck", "--tmpdir", str(route.home)]
    sides = zip("12", (route.source, route.destination), _password_files(route), strict=True)
    for side, login, password_file in sides:
        words += [f"--host{side}", "127.0.0.1", f"--port{side}", str(login.port), f"--user{side}", login.user]
        words += [f"--passfile{side}", password_file, f"--nossl{side}", f"--notls{side}"]
    return (*words, *options)


def _imapsync_with_cache(route: Route) -> tuple[str, ...]:
    return _imapsync(route, "--useuid", "--usecache")


COPIERS = {
    copier.name: copier
    for copier in (
        Copier("mailhaul", sys.executable, _mailhaul, Check.ONCE),
        *(
            Copier(
                f"mailhaul-{name}",
                sys.executable,
                _mailhaul,
                Check.ONCE,
                environment={"MAILHAUL_COMPRESS": setting},
                on_demand=True,
            )
            for name, setting in (("compressed", "on"), ("plain", "off"))
        ),
        Copier("doveadm", "doveadm", _doveadm, Check.EXACT),
        Copier("mbsync", "mbsync", _mbsync, Check.COUNTS),
        Copier("imapsync", "imapsync", _imapsync, Check.ONCE, waits=True),
        Copier("imapsync-cache", "imapsync", _imapsync_with_cache, Check.EXACT, waits=True),
    )
}
RAW = "raw"
"""Not a copier: the probe of `raw_limit`, listed among the copiers under this name."""
