"""A line to a mail server that can be cut, muted, slowed down, frozen and refused at any byte.

It ends TLS, so that it can hide capabilities as `fault_proxy.Shape` says. All of it runs in one thread of its
own; the methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path

from providers.endpoint import Endpoint, Security
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.fault_proxy import Rewriting, Shape
from tests.rehearsal.ports import HOST

_CHUNK_BYTES = 8192
_PAUSE_S = 0.05


class Line:
    """A proxy in front of `server`, a port that accepts logins without TLS, or a unix socket.

    With `ca`, clients connect with TLS, else without.
    """

    def __init__(
        self, server: int | Path, ca: CertificateAuthority | None = None, shape: Shape | None = None
    ) -> None:
        self._server = server
        self._shape = shape
        self.bytes_per_s: int | None = None  # of each connection, in each direction
        self.frozen = False
        self.muted = False  # discard data from the server
        self.refusing = False
        self._cut_after: int | None = None
        self._open: set[asyncio.BaseTransport] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        if ca is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*ca.issue())
        self._loop = asyncio.new_event_loop()
        started: threading.Event = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        security = Security.TLS if ca is not None else Security.PLAINTEXT
        self.endpoint = Endpoint("localhost", self._port, security)

    def cut(self) -> None:
        """Cut all connections."""
        self._loop.call_soon_threadsafe(self._cut)

    def cut_after(self, number_bytes: int) -> None:
        """Cut all connections after that many more bytes, both directions together."""
        self._cut_after = number_bytes

    def heal(self) -> None:
        """Forward everything again. Discarded data stays lost, so muted connections are cut."""
        self.bytes_per_s, self._cut_after = None, None
        self.frozen = self.refusing = False
        if self.muted:
            self.muted = False
            self.cut()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # --- In the thread of the loop -----------------------------------------------------------------

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda *_: None)  # cut connections
        server = self._loop.run_until_complete(
            asyncio.start_server(self._accept, HOST, 0, ssl=self._context, backlog=200)
        )
        self._port = int(server.sockets[0].getsockname()[1])
        started.set()
        self._loop.run_forever()
        server.close()
        self._cut()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    def _cut(self) -> None:
        for transport in list(self._open):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            if isinstance(self._server, Path):
                upstream = await asyncio.open_unix_connection(str(self._server))
            else:
                upstream = await asyncio.open_connection(HOST, self._server)
        except OSError:
            writer.transport.abort()
            return
        transports = {writer.transport, upstream[1].transport}
        self._open |= transports
        pumps = [
            asyncio.create_task(self._pump(reader, upstream[1], None)),
            asyncio.create_task(
                self._pump(
                    upstream[0], writer, Rewriting(self._shape) if self._shape else None, to_client=True
                )
            ),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for transport in transports:
            transport.close()
        await asyncio.wait(pumps, timeout=1)
        for transport in transports:
            transport.abort()
        self._open -= transports

    async def _pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        rewriting: Rewriting | None,
        *,
        to_client: bool = False,
    ) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await source.read(_CHUNK_BYTES):
                while self.frozen:
                    await asyncio.sleep(_PAUSE_S)
                if self.bytes_per_s is not None:
                    await asyncio.sleep(len(data) / self.bytes_per_s)
                cut = self._cut_after is not None and self._cut_after <= len(data)
                if self._cut_after is not None:
                    passing, self._cut_after = data[: self._cut_after], self._cut_after - len(data)
                else:
                    passing = data
                if not (self.muted and to_client):
                    target.write(rewriting.feed(passing) if rewriting else passing)
                    await target.drain()
                if cut:
                    self._cut_after = None
                    await asyncio.sleep(0)
                    self._cut()
                    return
