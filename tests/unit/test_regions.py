"""Numbers, sizes, dates and spaces as a region writes them, and times in the zone of the installation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from importer.adapters.mail.compose import TemplateComposer
from importer.domain.model import Account, Import, ImportId, State
from importer.domain.people.mail_recipients import MailReader
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.report import Report
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.translations import texts
from importer.ports.notices import Notice
from importer.settings import Settings, SettingsError
from providers.endpoint import Endpoint

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OLD = Account("ada@old.example", "ada", Endpoint("imap.old.example"))
NEW = Account("ada@new.example", "ada", Endpoint("imap.new.example"))


@pytest.mark.parametrize(
    ("tag", "number", "size", "day"),
    [
        ("de", "1.501", "9,2\u00a0MB", "23.11.2026"),
        ("de-CH", "1’501", "9.2\u00a0MB", "23.11.2026"),
        ("fr", "1\u202f501", "9,2\u00a0Mo", "23 nov. 2026"),
        ("fr-CH", "1\u202f501", "9,2\u00a0Mo", "23 nov. 2026"),
        ("en", "1,501", "9.2\u00a0MB", "Nov 23, 2026"),
        ("en-GB", "1,501", "9.2\u00a0MB", "23 Nov 2026"),
    ],
)
def test_numbers_and_dates_are_those_of_the_region(tag: str, number: str, size: str, day: str) -> None:
    say = texts(tag)
    assert (say.number(1501), say.size(9_200_000), say.day(AT)) == (number, size, day)


def test_a_region_of_no_consequence_makes_no_translator_of_its_own() -> None:
    assert texts("de-XX").tag == "de"


def test_french_has_its_units_and_spaces() -> None:
    say = texts("fr")
    assert [say.size(n) for n in (0, 1, 2, 615_000, 3 * 10**9)] == [
        "0 octet",
        "1 octet",
        "2 octets",
        "615\u00a0ko",
        "3\u00a0Go",
    ]
    notice = _mail("fr")
    assert "Durée\u00a0: 1 heure" in notice.text
    for mark in ":;?!":
        assert f" {mark}" not in notice.text


def test_switzerland_writes_no_sharp_s() -> None:
    assert "Grösse" in texts("de-CH").gettext("Size")
    assert texts("de-CH").gettext("%(folder)s", folder="ß") == "ß"


@pytest.mark.parametrize(
    ("copied", "failed", "said"),
    [
        (1500, 1, "1.500 von 1.501 Nachrichten, die das alte Postfach zeigte, sind im neuen, 1 ließ sich"),
        (1, 1500, "1 von 1.501 Nachrichten, die das alte Postfach zeigte, ist im neuen, 1.500 ließen sich"),
    ],
)
def test_each_verb_follows_its_own_number(copied: int, failed: int, said: str) -> None:
    tally = FolderTally("INBOX", "INBOX", found=1501, copied=copied, failed=failed)
    assert said in outcome_text(texts("de"), _report(tally, "de").outcome)


def test_times_in_mails_are_those_of_the_installation() -> None:
    say = texts("de", ZoneInfo("Europe/Zurich"))
    assert say.moment(AT) == "23.11.2026, 13:00 CET"
    assert say.moment(AT.replace(hour=23)) == "24.11.2026, 00:00 CET"
    assert say.day(AT.replace(hour=23)) == "24.11.2026"
    assert texts("de").moment(AT) == "23.11.2026, 12:00 UTC"


def test_an_unknown_time_zone_and_region_are_refused_with_the_rule(tmp_path: Path) -> None:
    for name, value in (
        ("time_zone", "Europe/Zürich"),
        ("time_zone", "../etc/passwd"),
        ("language", "de_CH"),
    ):
        with pytest.raises(SettingsError, match=name.upper()):
            Settings.load(data=tmp_path, **{name: value})
    settings = Settings.load(data=tmp_path, time_zone="Europe/Zurich", language="de-CH")
    assert (str(settings.time_zone), settings.language) == ("Europe/Zurich", "de-CH")


def _report(tally: FolderTally, language: str) -> Report:
    import_ = Import(ImportId("one"), OLD, NEW, AT, state=State.INCOMPLETE, language=language)
    return Report(replace(import_, started_at=AT, finished_at=AT + timedelta(hours=1)), (tally,))


def _mail(language: str) -> Notice:
    tally = FolderTally("INBOX", "INBOX", found=5, copied=4, failed=1)
    composer = TemplateComposer("m@new.example", b"key")
    [notice] = composer.completion(_report(tally, language), [MailReader(NEW.address)], AT)
    return notice
