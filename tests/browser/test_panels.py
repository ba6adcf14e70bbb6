"""The examples of deploy/panels, tried: the pages in a panel's frame, behind Caddy and behind nginx, and the
client in one file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, new_page, stage
from tests.deployment import DEPLOY, SETTINGS, environment_file
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.ports import free_ports, listens, wait_until
from tests.rehearsal.processes import start_group, stop_group
from tests.rehearsal.sample import sample_mailbox

PANELS = DEPLOY / "panels"
SITE = "https://import.example.org"


@dataclass(frozen=True)
class Embedded:
    """Pages behind a proxy at `stage.url`, and a panel that shows them in a frame at `panel`."""

    stage: Stage
    panel: str
    folder: Path


def caddy_of(
    root: Path, files: Path, panel: int, site: int, pages: int, _ca: CertificateAuthority
) -> tuple[list[str], dict[str, str]]:
    """Caddy's command and environment for the example, with ports of the test and its own certificates."""
    options = f"{{\n\thttp_port {free_ports()[0]}\n\tadmin off\n\tskip_install_trust\n}}\n"
    (root / "Caddyfile").write_text(options + (PANELS / "reverse-proxy/Caddyfile").read_text())
    environment = {
        "PANEL": f"localhost:{panel}",
        "SITE": f"localhost:{site}",
        "PANEL_FILES": str(files),
        "UPSTREAM": f"127.0.0.1:{pages}",
        "XDG_DATA_HOME": str(root / "caddy"),
        "XDG_CONFIG_HOME": str(root / "caddy"),
    }
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(root / "Caddyfile")], environment


def nginx_of(
    root: Path, files: Path, panel: int, site: int, pages: int, ca: CertificateAuthority
) -> tuple[list[str], dict[str, str]]:
    """The same of nginx, for the example of mailcow beside a server for the panel's own pages."""
    certificate, key = ca.issue()
    example = (PANELS / "mailcow/mailhaul.conf").read_text()
    for theirs, ours in {
        "listen 443 ssl": f"listen 127.0.0.1:{site} ssl",
        "server_name import.example.org": "server_name localhost",
        "/etc/ssl/mail/cert.pem": str(certificate),
        "/etc/ssl/mail/key.pem": str(key),
        "http://mailhaul:8025": f"http://127.0.0.1:{pages}",
    }.items():
        assert theirs in example
        example = example.replace(theirs, ours)
    own = f"""server {{ listen 127.0.0.1:{panel} ssl; server_name localhost; root {files};
        ssl_certificate {certificate}; ssl_certificate_key {key}; }}"""
    paths = "".join(
        f"{name}_temp_path {root}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"""daemon off; pid {root}/nginx.pid; error_log {root}/nginx.log; user {_user()};
        events {{}} http {{ access_log off; {paths} types {{ text/html html; }} {own} {example} }}"""
    (root / "nginx.conf").write_text(main)
    return ["nginx", "-c", str(root / "nginx.conf"), "-p", str(root)], {}


def _user() -> str:
    return "root" if os.getuid() == 0 else os.environ.get("USER", "nobody")


@pytest.fixture(scope="module", params=["caddy", "nginx"])
def embedded(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    ca: CertificateAuthority,
    old_host: Dovecot,
    new_host: Dovecot,
) -> Iterator[Embedded]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is missing (Debian: {request.param})")
    root = tmp_path_factory.mktemp(request.param)
    panel, site, pages = free_ports(3)
    files = root / "panel"
    files.mkdir()
    url = f"https://localhost:{site}"
    text = (PANELS / "reverse-proxy/panel.html").read_text()
    assert SITE in text
    (files / "panel.html").write_text(text.replace(SITE, url))
    proxy_of = {"caddy": caddy_of, "nginx": nginx_of}[request.param]
    command, environment = proxy_of(root, files, panel, site, pages, ca)
    settings = environment_file(PANELS / "reverse-proxy/mailhaul.env")
    assert settings["MAILHAUL_FRAME_ANCESTORS"] == "https://panel.example.org"
    proxy = start_group(command, root / "proxy.log", environment={**os.environ, **environment})
    try:
        serving = wait_until(lambda: listens(site) and listens(panel))
        assert serving, (root / "proxy.log").read_text()
        running = stage(
            root / "mailhaul",
            old_host,
            new_host,
            port=pages,
            PUBLIC_URL=url,
            FRAME_ANCESTORS=f"https://localhost:{panel}",
            WEB_PROXIES=settings["MAILHAUL_WEB_PROXIES"],
        )
        with running as opened:
            yield Embedded(opened, f"https://localhost:{panel}/panel.html", files)
    finally:
        stop_group(proxy)


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[Page]:
    context, page = new_page(chromium)
    yield page
    context.close()


def framed(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def test_a_customer_works_in_the_panels_frame(embedded: Embedded, visitor: Page) -> None:
    _, new = embedded.stage.mailboxes("framed")
    visitor.goto(embedded.panel)
    frame = framed(visitor)
    frame.locator("#address").fill(new.account.address)
    frame.locator("#password").fill(new.password)
    frame.locator("main button.primary").click()
    expect(frame.locator("form[action='/new'] #address")).to_be_visible()
    assert visitor.url == embedded.panel


def test_another_site_cannot_show_the_pages(embedded: Embedded, visitor: Page) -> None:
    with other_site(embedded.folder) as elsewhere:
        visitor.goto(f"{elsewhere}/panel.html")
        [inner] = [frame for frame in visitor.frames if frame is not visitor.main_frame]
        inner.wait_for_load_state()
        assert framed(visitor).locator("#address").count() == 0


def test_the_client_starts_an_import_whose_customer_enters_the_password(
    embedded: Embedded, visitor: Page
) -> None:
    old, new = embedded.stage.mailboxes("firstlogin")
    old.fill(sample_mailbox())
    token = embedded.stage.installation.json(
        "token", "create", "panel", "--scope", "read", "--scope", "write", "--domain", "new.example"
    )["token"]
    client = partial(run_client, embedded, token, NEW_PASSWORD=new.password)
    server = f"{old.account.endpoint.host}:{old.account.endpoint.port}"
    words = ("first-login", old.account.address, new.account.address, "--old-server", server)
    first = client(*words)
    assert first["state"] == "waiting"
    visitor.goto(first["link"])
    sound(visitor)
    page = (embedded.folder / "panel.html").read_text()
    (embedded.folder / "first.html").write_text(re.sub(r'src="[^"]+"', f'src="{first["link"]}"', page))
    visitor.goto(embedded.panel.replace("panel.html", "first.html"))
    frame = framed(visitor)
    expect(frame.locator("dd").first).to_contain_text("old.example")
    frame.locator("#password").fill(old.password)
    frame.locator("main button.primary").click()
    expect(frame.locator("h1")).to_have_text("Thank you")
    ended = client("wait", first["id"])
    assert ended["state"] == "complete"
    assert new.read().count() > 0
    assert (
        client("first-login", old.account.address, new.account.address, "--old-server", server)["link"]
        is None
    )


def run_client(embedded: Embedded, token: str, *words: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _TRUSTING, str(PANELS / "client.py"), *words],
        env={"MAILHAUL_API": embedded.stage.url, "MAILHAUL_TOKEN": token, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


_TRUSTING = """
import runpy, ssl, sys
ssl._create_default_https_context = ssl._create_unverified_context  # the proxies are their own authorities
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@contextmanager
def other_site(folder: Path) -> Iterator[str]:
    """The same page, served by a site that the operator has not named."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


# --- The files --------------------------------------------------------------------------------------------


def test_the_settings_of_the_examples_exist() -> None:
    compose = yaml.safe_load((PANELS / "mailcow/docker-compose.override.yml").read_text())
    [service] = compose["services"].values()
    named = set(service["environment"]) | set(environment_file(PANELS / "reverse-proxy/mailhaul.env"))
    assert named <= SETTINGS
    assert service["command"] == ["up"]


def test_a_webhook_is_told_from_a_forgery() -> None:
    code = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("client", {str(PANELS / "client.py")!r})
client = importlib.util.module_from_spec(spec); spec.loader.exec_module(client)
from datetime import datetime, UTC
from importer.domain.reporting.webhook_events import signature
now = datetime.now(UTC)
assert client.is_ours("s", signature("s", now, b"body"), b"body")
assert not client.is_ours("s", signature("s", now, b"body"), b"other")
assert not client.is_ours("t", signature("s", now, b"body"), b"body")
assert not client.is_ours("s", signature("s", datetime.fromtimestamp(1, UTC), b"body"), b"body")
assert not client.is_ours("s", "nonsense", b"body")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
