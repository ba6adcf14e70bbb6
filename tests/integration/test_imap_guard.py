"""Servers named by untrusted users are reached through the egress guard, with verified certificates."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from importer.adapters.egress_guard import EgressGuard
from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from providers.endpoint import Endpoint, Secret, Security
from providers.errors import CertificateRefused, HostForbidden, MailError
from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot

LOOPBACK = ip_network("127.0.0.0/8"), ip_network("::1/128")
QUICK = Timeouts(connect_s=2.0, io_s=5.0)


def test_a_loopback_server_is_reached_only_where_the_operator_allows_it(
    new_host: Dovecot, make_user: MakeUser
) -> None:
    user = make_user(new_host)
    untrusted = replace(user.account, public_only=True)
    closed = ImapSessions(ca_file=user.ca_file, timeouts=QUICK)
    with pytest.raises(HostForbidden, match="host_forbidden") as caught:
        closed.open_source(untrusted, Secret(user.password))
    assert "127.0.0.1" not in str(caught.value) + caught.value.server_text
    closed.open_source(
        user.account, Secret(user.password)
    ).close()  # servers named by the operator are not restricted
    guard = EgressGuard(allowed=LOOPBACK, ports=())
    opened = ImapSessions(ca_file=user.ca_file, timeouts=QUICK, guard=guard)
    for security, endpoint in ((Security.TLS, new_host.imaps), (Security.STARTTLS, new_host.starttls)):
        target = replace(untrusted, endpoint=replace(endpoint, security=security))
        session = opened.open_source(target, Secret(user.password))
        assert session.status("INBOX").messages == 0
        session.close()


def test_a_name_inside_and_a_name_that_does_not_exist_get_the_same_answer(
    new_host: Dovecot, make_user: MakeUser
) -> None:
    user = make_user(new_host)

    def look_up(host: str, port: int, **kind: Any) -> list[Any]:
        if host == "missing.corp.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return list(socket.getaddrinfo("10.0.0.7", port, **kind))

    sessions = ImapSessions(
        ca_file=user.ca_file, timeouts=QUICK, guard=EgressGuard(ports=[993], look_up=look_up)
    )
    answers = []
    for host in ("missing.corp.example", "mail.corp.example"):
        target = replace(user.account, endpoint=Endpoint(host), public_only=True)
        with pytest.raises(MailError) as caught:
            sessions.open_source(target, Secret(user.password))
        error = caught.value
        answers.append((type(error), str(error).replace(host, ""), error.server_text))
    assert answers[0] == answers[1]


def test_the_certificate_must_match_the_name_and_not_the_address(
    new_host: Dovecot, make_user: MakeUser
) -> None:
    user = make_user(new_host)

    def look_up(_host: str, port: int, **kind: Any) -> list[Any]:
        return list(socket.getaddrinfo("127.0.0.1", port, **kind))

    guard = EgressGuard(allowed=LOOPBACK, ports=(), look_up=look_up)
    sessions = ImapSessions(ca_file=user.ca_file, timeouts=QUICK, guard=guard)
    for endpoint in (new_host.imaps, replace(new_host.starttls, security=Security.STARTTLS)):
        other = replace(endpoint, host="imap.old.example")
        with pytest.raises(CertificateRefused, match=r"certificate_refused\.other_name .*host=imap"):
            sessions.open_source(
                replace(user.account, endpoint=other, public_only=True), Secret(user.password)
            )
        same = replace(endpoint, host="localhost")
        sessions.open_source(
            replace(user.account, endpoint=same, public_only=True), Secret(user.password)
        ).close()


def test_each_new_connection_is_checked_again(new_host: Dovecot, make_user: MakeUser) -> None:
    user = make_user(new_host)
    leads_to = ["127.0.0.1"]

    def look_up(_host: str, port: int, **kind: Any) -> list[Any]:
        return list(socket.getaddrinfo(leads_to[0], port, **kind))

    guard = EgressGuard(allowed=[ip_network("127.0.0.1")], ports=(), look_up=look_up)
    sessions = ImapSessions(ca_file=user.ca_file, timeouts=QUICK, guard=guard)
    session = sessions.open_source(replace(user.account, public_only=True), Secret(user.password))
    assert session.status("INBOX").messages == 0
    leads_to[0] = "127.0.0.2"
    session.link.drop()  # the connection is lost, and the next read opens another
    with pytest.raises(MailError) as caught:
        session.status("INBOX")
    assert isinstance(caught.value, HostForbidden)
