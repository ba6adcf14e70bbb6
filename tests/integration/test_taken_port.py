"""A port that another program uses: a sentence with the way out, and the code of a wrong setting."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from importer.domain.reporting.report import ExitCode
from tests.rehearsal.installation import Installation


@pytest.mark.parametrize("command", ["web", "up"])
def test_a_taken_port_ends_the_command_with_a_sentence(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {
            "DESTINATION_SERVER": "imaps://mail.new.example",
            "WEB_LISTEN": f"127.0.0.1:{port}",
        }
        done = Installation(tmp_path, settings).run(command, ends=ExitCode.USAGE)
    said = " ".join(done.stderr.split())
    assert f"The pages cannot be served at 127.0.0.1:{port}: another program uses port {port}" in said
    assert "MAILHAUL_WEB_LISTEN" in said
    assert "mailhaul up" in said
    assert "Traceback" not in said
    assert "Errno" not in said
    assert "running" not in said, "nothing was started"


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    settings = {"DESTINATION_SERVER": "imaps://mail.new.example", "WEB_LISTEN": "192.0.2.1:8025"}
    done = Installation(tmp_path, settings).run("web", ends=ExitCode.USAGE)
    assert "this machine does not have the address 192.0.2.1" in " ".join(done.stderr.split())
