"""Certificates that expire soon: read from real TLS servers, in doctor, in the metrics and in the rules."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from importer import inspection
from importer.doctor import Health, examine
from importer.doctor.certificate_checks import SOON
from importer.metrics.certificate_metrics import CertificateMetrics
from importer.ports.certificates import Certificate, CertifiedServer
from importer.settings import Settings
from tests.english import said
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.ports import free_ports

RULES = Path(__file__).parents[2] / "deploy/prometheus/mailhaul.rules.yaml"
IMAP = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"
SMTP = b"220 mail.example ESMTP\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "authority")


@contextmanager
def tls_server(files: tuple[Path, Path], greeting: bytes = b"") -> Iterator[int]:
    """A server that greets and answers each line with 250; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=_serve, args=(listener, context, greeting), daemon=True).start()
        yield listener.getsockname()[1]


def _serve(listener: socket.socket, context: ssl.SSLContext, greeting: bytes) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:  # the test has ended
            return
        try:
            with (
                context.wrap_socket(plain, server_side=True) as connection,
                connection.makefile("rb") as lines,
            ):
                connection.sendall(greeting)
                for _line in lines:
                    connection.sendall(b"250 mail.example\r\n")
        except OSError:  # the client refused the certificate, or left
            continue


@contextmanager
def installation(
    tmp_path: Path, authority: CertificateAuthority, *, destination: int, mail: int, pages: int
) -> Iterator[Settings]:
    """With three servers whose certificates end in so many days."""
    with ExitStack() as stack:
        imap, smtp, https = (
            stack.enter_context(tls_server(authority.issue(days=days), greeting))
            for days, greeting in ((destination, IMAP), (mail, SMTP), (pages, b""))
        )
        yield Settings.load(
            data=tmp_path,
            ca_file=authority.ca_file,
            destination_server=f"imaps://localhost:{imap}",
            smtp_url=f"smtps://localhost:{smtp}",
            public_url=f"https://localhost:{https}",
        )


def test_the_end_of_each_certificate_is_read(tmp_path: Path, authority: CertificateAuthority) -> None:
    with installation(tmp_path, authority, destination=25, mail=9, pages=3) as settings:
        seen = {c.server: c.ends_at for c in inspection.certificates(settings)}
    now = datetime.now(UTC)
    for server, days in (("destination", 25), ("mail", 9), ("pages", 3)):
        ends_at = seen[CertifiedServer(server)]
        assert ends_at is not None
        assert abs(ends_at - now - timedelta(days=days)) < timedelta(minutes=5)


def test_doctor_names_the_certificates_that_expire_within_21_days(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    with installation(tmp_path, authority, destination=25, mail=9, pages=3) as settings:
        found = examine(settings, ["certificates"])
        mail = f"{settings.smtp_url}".rpartition("/")[2]
        assert [(f.health, said(f.text).partition(" Renew")[0]) for f in found] == [
            (Health.WARNING, f"The certificate of {mail} expires in 8 days."),
            (Health.WARNING, f"The certificate of {settings.public_url} expires in 2 days."),
        ]


def test_doctor_is_content_with_certificates_that_last(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    with installation(tmp_path, authority, destination=25, mail=29, pages=22) as settings:
        [finding] = examine(settings, ["certificates"])
    assert (finding.health, said(finding.text)) == (
        Health.OK,
        "The certificates are valid for 21 more days.",
    )


def test_an_expired_certificate_is_left_to_the_check_of_its_server(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    """Mail and destination have checks of their own; of the pages nobody else tells."""
    with installation(tmp_path, authority, destination=-1, mail=-1, pages=-1) as settings:
        [finding] = examine(settings, ["certificates"])
        health = {f.part: f.health for f in examine(settings, ["destination", "mail"])}
    assert "certificate has expired" in said(finding.text)
    assert health == {"destination": Health.ERROR, "mail": Health.ERROR}


def test_nothing_configured_is_nothing_to_check(tmp_path: Path) -> None:
    [finding] = examine(Settings.load(data=tmp_path), ["certificates"])
    assert finding.health is Health.OK


def test_a_server_that_does_not_answer_keeps_its_last_value() -> None:
    end = datetime(2027, 1, 2, tzinfo=UTC)
    looks: Iterator[Sequence[Certificate]] = iter(
        [
            [Certificate(CertifiedServer.MAIL, "mail.example:465", end)],
            [Certificate(CertifiedServer.MAIL, "mail.example:465", None, "no reply in time")],
        ]
    )
    metrics = CertificateMetrics(lambda: next(looks))
    registry = CollectorRegistry()
    registry.register(metrics)
    assert [metrics.look(), metrics.look()] == [True, False]
    line = f'mailhaul_certificate_expiry_timestamp_seconds{{server="mail"}} {end.timestamp()}'
    [sample] = re.findall(r"^mailhaul_certificate_\w+\{.*$", generate_latest(registry).decode(), re.MULTILINE)
    assert float(sample.split()[1]) == end.timestamp()
    assert sample.startswith(line.rpartition(" ")[0])


def test_a_closed_port_is_a_problem_and_no_error(tmp_path: Path) -> None:
    [port] = free_ports()
    settings = Settings.load(data=tmp_path, public_url=f"https://localhost:{port}")
    [certificate] = inspection.certificates(settings)
    assert certificate.ends_at is None
    assert "refused" in certificate.problem


def test_the_rule_and_doctor_warn_at_the_same_time() -> None:
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    [expression] = [r["expr"] for r in group["rules"] if r["alert"] == "MailhaulCertificateExpires"]
    assert expression.endswith(f"< {SOON.days} * 86400")
