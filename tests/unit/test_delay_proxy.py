"""The proxy that simulates a distant server: bytes arrive unchanged, in order and later."""

from __future__ import annotations

import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.stage import ROOT
from tests.rehearsal.ports import HOST, PATIENCE_S, free_ports, listens, wait_until
from tests.rehearsal.processes import kill_group, start_group

ROUND_TRIP_MS = 60


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it receives, up to the end of the stream."""

    def echo(connection: socket.socket) -> None:
        with closing(connection):
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    return tmp_path / "turns"


@pytest.fixture
def port(echo_port: int, counts: Path, tmp_path: Path) -> Iterator[int]:
    port = free_ports()[0]
    options = ["--listen", str(port), "--to", str(echo_port), "--round-trip-ms", str(ROUND_TRIP_MS)]
    command = [sys.executable, "-m", "benchmarks.delay_proxy", *options, "--counts", str(counts)]
    process = start_group(command, tmp_path / "proxy.log", folder=ROOT)
    try:
        assert wait_until(lambda: listens(port), timeout_s=PATIENCE_S)
        yield port
    finally:
        kill_group(process)


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=PATIENCE_S)


def received(client: socket.socket) -> bytes:
    """Everything up to the end of the stream."""
    return b"".join(iter(lambda: client.recv(1 << 16), b""))


def test_each_turn_takes_a_round_trip(port: int, counts: Path) -> None:
    with connected(port) as client:
        for _ in range(3):
            began_s = time.monotonic()
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            assert time.monotonic() - began_s >= ROUND_TRIP_MS / 1000
    # The check that it listens was a connection, too.
    assert wait_until(lambda: counts.exists() and counts.read_text() == "2 3\n", timeout_s=PATIENCE_S)


def test_much_data_arrives_unchanged_on_many_connections(port: int) -> None:
    sent = [random.Random(seed).randbytes(3_000_000) for seed in range(6)]
    clients = [connected(port) for _ in sent]

    def send(client: socket.socket, data: bytes) -> None:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)  # the answer still arrives

    senders = [threading.Thread(target=send, args=pair) for pair in zip(clients, sent, strict=True)]
    for sender in senders:
        sender.start()
    assert [received(client) for client in clients] == sent
    for sender, client in zip(senders, clients, strict=True):
        sender.join()
        client.close()


def test_a_client_that_hangs_up_disturbs_no_other(port: int) -> None:
    with connected(port) as client:
        rude = connected(port)
        rude.sendall(b"x" * 1_000_000)
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with a reset
        rude.close()
        client.sendall(b"still here")
        client.shutdown(socket.SHUT_WR)
        assert received(client) == b"still here"
