"""The process of `pymap_server`: pymap's in-memory server with users from a folder, and implicit TLS.

Usage: python -m tests.rehearsal.pymap_main HOME STARTTLS_PORT TLS_PORT

HOME holds `cert.pem`, `key.pem` and `users/NAME`, each with a password. pymap's own program supports one user
and no implicit TLS, and its on-disk backend rewrites messages, so this module assembles a server.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import Config, Login
from pymap.imap import IMAPServer
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext

HOST = "127.0.0.1"


class UserFiles(dict[str, UserMetadata]):
    """Reads a user from disk at every login, so that users can be added while the server runs."""

    def __init__(self, folder: Path, config: Config) -> None:
        super().__init__()
        self._folder = folder
        self._config = config

    def get(self, name: str, default: Any = None) -> Any:
        """The user with the current password, else `default`."""
        path = self._folder / name
        if "/" in name or not path.is_file():
            return default
        return UserMetadata(self._config, name, password=path.read_text(encoding="utf-8"))


async def serve(home: Path, starttls_port: int, tls_port: int) -> None:
    """Serve until cancelled. Writes `ready` to standard output once both ports listen."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    upgraded, implicit = (_config(context, starttls=starttls) for starttls in (True, False))
    login = Login(upgraded)
    login.users_dict = UserFiles(home / "users", upgraded)
    servers = [
        await asyncio.start_server(_callback(login, upgraded), HOST, starttls_port),
        await asyncio.start_server(_callback(login, implicit), HOST, tls_port, ssl=context),
    ]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def _config(context: ssl.SSLContext, *, starttls: bool) -> Config:
    return Config(
        Namespace(passlib_cfg=None, proxy_protocol=None),
        demo_data=False,
        demo_user="",
        demo_password="",
        host=HOST,
        port=0,
        ssl_context=context,
        tls_enabled=starttls,
        hash_context=Cleartext(),
        invalid_user_sleep=0,
    )


def _callback(login: Login, config: Config) -> Any:
    return ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(login, config))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
