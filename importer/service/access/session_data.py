"""The data of a web session: the draft of the next submission and an uploaded file; and its stored form."""

from __future__ import annotations

import json
from dataclasses import field, replace
from typing import Any

from importer.domain.csv_import.corrections import NO_CORRECTIONS, Corrections
from importer.domain.import_options import OPTIONS, Choices, choices_from_json, json_of
from importer.domain.model import Account, Import, ImportId
from importer.service.access.session_sign_ins import PendingSignIn, SessionGrant
from providers.endpoint import Endpoint, Secret, Security
from providers.frozen import frozen


@frozen
class VerifiedMailbox:
    """A mailbox whose login was verified.

    Without a password, it is one whose owner signed in at the provider `sign_in` (`signed_in`) or does so
    later, or a destination that an OpenID issuer attributes to this person. `facts` are the displayed results
    of a check. A mailbox whose verification the issuer does not state gives no batch right.
    """

    account: Account
    password: Secret | None
    facts: dict[str, Any] = field(default_factory=dict)
    sign_in: str = ""
    has_labels: bool = False
    gives_rights: bool = True
    signed_in: SessionGrant | None = None

    @property
    def is_open(self) -> bool:
        """Whether this session can log in to it."""
        return self.password is not None or self.signed_in is not None


@frozen
class Rerun:
    """The earlier import that the draft runs again, and its destination."""

    import_id: ImportId
    destination: Account


@frozen
class SessionData:
    """The data of a web session: the person's destination mailboxes, the draft of the next submission, and an
    uploaded file.

    `choices` are the options that were chosen so far; `sign_ins` the requests of owners who are at their
    provider. `corrections` belong to the file: cells written anew, and the rows that have been started.
    `file_batches` are the batches that were started from it.
    """

    mailboxes: tuple[VerifiedMailbox, ...] = ()
    sources: tuple[VerifiedMailbox, ...] = ()
    pending_source: Account | None = None  # the source whose password is entered next
    domains: tuple[str, ...] = ()  # that this person administers, according to an OpenID issuer
    file_name: str = ""
    file: bytes = field(default=b"", repr=False)
    choices: Choices = field(default_factory=dict)
    rerun: Rerun | None = None
    sign_ins: tuple[PendingSignIn, ...] = ()
    corrections: Corrections = NO_CORRECTIONS
    file_batches: tuple[str, ...] = ()
    is_operator: bool = False  # according to an OpenID issuer

    def mailbox(self, key: str) -> VerifiedMailbox | None:
        """The destination mailbox with that Account.key."""
        return next((m for m in self.mailboxes if m.account.key == key), None)

    @property
    def default_destination(self) -> Account:
        """The destination that is preselected: that of the import which is run again, and no other one."""
        if self.rerun is not None:
            return self.rerun.destination
        return next((m for m in self.mailboxes if m.is_open), self.mailboxes[0]).account

    @property
    def any_labels(self) -> bool:
        """Whether any of the sources has labels."""
        return any(source.has_labels for source in self.sources)

    def with_source(self, source: VerifiedMailbox, limit: int) -> SessionData:
        """A copy with this source added or replaced, reduced to the last `limit` sources."""
        others = tuple(s for s in self.sources if s.account.key != source.account.key)
        return replace(self, sources=(*others, source)[-limit:], pending_source=None)

    def with_destination(self, mailbox: VerifiedMailbox) -> SessionData:
        """A copy with this destination added or replaced."""
        mailboxes = {m.account.key: m for m in self.mailboxes} | {mailbox.account.key: mailbox}
        return replace(self, mailboxes=tuple(mailboxes.values()))

    def with_rerun(self, import_: Import) -> SessionData:
        """A copy whose draft runs that import again: its source, destination and choices."""
        return replace(
            self,
            sources=(),
            pending_source=import_.source,
            choices={name: getattr(import_.options, name) for name in OPTIONS},
            rerun=Rerun(import_.id, import_.destination),
        )

    def with_file(self, name: str, content: bytes, corrections: Corrections = NO_CORRECTIONS) -> SessionData:
        """A copy with that file in place of another one; without a file if there is no content."""
        return replace(self, file_name=name, file=content, corrections=corrections, file_batches=())

    def without_draft(self) -> SessionData:
        """A copy without the draft, but with the uploaded file."""
        return replace(self, sources=(), pending_source=None, choices={}, rerun=None)

    def without_grant(self, key: str) -> SessionData:
        """A copy without the grant of the destination with that Account.key: the imports that started with
        it own it now."""
        mailboxes = (replace(m, signed_in=None) if m.account.key == key else m for m in self.mailboxes)
        return replace(self, mailboxes=tuple(mailboxes))


# --- Stored form ------------------------------------------------------------------------------------


def dump_session_data(data: SessionData) -> str:
    """The data as JSON, passwords and grants included: for the vault only."""
    return json.dumps(
        {
            "mailboxes": [_mailbox_json(m) for m in data.mailboxes],
            "sources": [_mailbox_json(m) for m in data.sources],
            "asked": _account_json(data.pending_source) if data.pending_source else None,
            "domains": data.domains,
            "file_name": data.file_name,
            "file": data.file.hex(),
            "options": {name: json_of(value) for name, value in data.choices.items()},
            "again": _account_json(data.rerun.destination) if data.rerun else None,
            "again_import": data.rerun.import_id if data.rerun else None,
            "sign_ins": [{**s.as_json(), "account": _account_json(s.account)} for s in data.sign_ins],
            "corrections": _corrections_json(data.corrections),
            "file_batches": data.file_batches,
            "operator": data.is_operator,
        }
    )


def load_session_data(text: str) -> SessionData:
    """Inverse of `dump_session_data`; also reads the data of earlier versions."""
    facts = json.loads(text)
    return SessionData(
        tuple(map(_mailbox, facts["mailboxes"])),
        tuple(map(_mailbox, facts["sources"])),
        _account(facts["asked"]) if facts["asked"] else None,
        tuple(facts["domains"]),
        facts["file_name"],
        bytes.fromhex(facts["file"]),
        choices_from_json(facts.get("options", {})),  # none in a session of an earlier version
        _rerun(facts),
        # none in a session of an earlier version
        tuple(PendingSignIn.from_json(s, _account(s["account"])) for s in facts.get("sign_ins", ())),
        _corrections(facts.get("corrections")),
        tuple(facts.get("file_batches", ())),
        facts.get("operator") is True,
    )


def _corrections_json(corrections: Corrections) -> dict[str, Any]:
    return {
        "cells": [[line, dict(cells)] for line, cells in corrections.cells.items()],
        "left_out": sorted(corrections.left_out),
        "kept": sorted(corrections.kept),
    }


def _corrections(facts: dict[str, Any] | None) -> Corrections:
    if facts is None:  # a session of an earlier version
        return NO_CORRECTIONS
    cells = dict(facts["cells"])
    kept = frozenset((line, column) for line, column in facts["kept"])
    return Corrections(cells, frozenset(facts["left_out"]), kept)


def _rerun(facts: dict[str, Any]) -> Rerun | None:
    import_id = facts.get("again_import")  # a session of an earlier version has none
    return Rerun(ImportId(import_id), _account(facts["again"])) if import_id else None


def _account_json(account: Account) -> dict[str, Any]:
    endpoint = account.endpoint
    return {
        "address": account.address,
        "login": account.login,
        "endpoint": [endpoint.host, endpoint.port, endpoint.security.value],
        "guarded": account.public_only,
    }


def _account(facts: dict[str, Any]) -> Account:
    host, port, security = facts["endpoint"]
    return Account(
        facts["address"], facts["login"], Endpoint(host, port, Security(security)), facts["guarded"]
    )


def _mailbox_json(mailbox: VerifiedMailbox) -> dict[str, Any]:
    account = _account_json(mailbox.account)
    password = None if mailbox.password is None else mailbox.password.reveal()
    return {
        "account": account,
        "password": password,
        "facts": mailbox.facts,
        "sign_in": mailbox.sign_in,
        "has_labels": mailbox.has_labels,
        "gives_rights": mailbox.gives_rights,
        "signed_in": mailbox.signed_in.as_json() if mailbox.signed_in else None,
    }


def _mailbox(facts: dict[str, Any]) -> VerifiedMailbox:
    password = None if facts["password"] is None else Secret(facts["password"])
    signed_in = facts.get("signed_in")
    return VerifiedMailbox(
        _account(facts["account"]),
        password,
        facts["facts"],
        facts["sign_in"],
        facts["has_labels"],
        facts.get("gives_rights", True),  # a session of an earlier version
        SessionGrant.from_json(signed_in) if signed_in else None,
    )
