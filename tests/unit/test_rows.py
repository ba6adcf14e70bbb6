"""The CSV file of a batch."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from importer.domain.csv_import.csv_files import annotate as annotated_file
from importer.domain.csv_import.import_rows import Parsed, Row, split
from importer.domain.csv_import.row_parser import parse
from importer.domain.csv_import.sheet import RowProblem
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.import_options import ImportOptions
from importer.i18n.code_texts import advice, render
from importer.i18n.csv_template import csv_template, workbook_template
from importer.i18n.row_problem_texts import cell_problem_text, row_problem_text
from importer.i18n.translations import LANGUAGES, CatalogTranslator, texts
from providers.endpoint import Endpoint, Secret, Security
from providers.provider import LoginKind
from tests.lookups import UsualNames

LOOKUP = UsualNames()
CATALOG = LOOKUP.catalog
NEW = Endpoint("imap.new.example")
HEADER = "source_address,source_password,source_server,destination_address,destination_password"
GOOD = "ada@old.example,s3cret-one,,ada@new.example,s3cret-two"


def read(
    text: str | bytes,
    destination: Endpoint | None = NEW,
    allow_plaintext: bool = False,
    max_rows: int | None = 25,
) -> Parsed:
    data = text.encode() if isinstance(text, str) else text
    return parse(
        data, catalog=LOOKUP, destination=destination, allow_plaintext=allow_plaintext, max_rows=max_rows
    )


def rows(text: str | bytes, destination: Endpoint | None = NEW) -> tuple[Row, ...]:
    parsed = read(text, destination)
    assert not parsed.problems
    return parsed.rows


ENGLISH = partial(row_problem_text, texts("en"))


def annotate(parsed: Parsed, describe: Callable[[RowProblem], str]) -> str:
    return annotated_file(parsed, describe, "problem")


def template(language: str = "en") -> str:
    return csv_template(texts(language)).decode("utf-8-sig")


def message(problem: RowProblem) -> str:
    return render(problem.text, texts("en"))


def fix(problem: RowProblem) -> str:
    return advice(problem.text, texts("en"))


def only(text: str | bytes, destination: Endpoint | None = NEW) -> RowProblem:
    """The only problem of a file. It has a message and a fix."""
    problems = read(text, destination).problems
    assert len(problems) == 1, problems
    assert message(problems[0]).endswith(".")
    assert fix(problems[0])
    return problems[0]


def row(**cells: str) -> str:
    """A line in the order of the header, valid except for the given cells."""
    good = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
    out = io.StringIO()
    csv.writer(out).writerow((good | cells).values())
    return out.getvalue()


def revealed(password: Secret | None) -> str:
    assert password is not None
    return password.reveal()


# --- Valid files ------------------------------------------------------------------------------------


def test_a_row_becomes_an_import() -> None:
    (row_,) = rows(f"{HEADER}\n{GOOD}\n")
    assert row_.line == 2
    assert (row_.source.address, row_.source.login) == ("ada@old.example", "ada@old.example")
    assert row_.source.endpoint == Endpoint("imap.old.example")
    assert row_.destination.endpoint == NEW
    assert row_.source_password == Secret("s3cret-one")
    assert row_.destination_password == Secret("s3cret-two")


def test_server_and_login_are_derived_from_the_address() -> None:
    (row_,) = rows(f"{HEADER}\n{row(source_address='ada@icloud.com')}")
    assert (row_.source.login, row_.source.endpoint.host) == ("ada", "imap.mail.me.com")


def test_the_login_form_also_applies_to_an_explicit_server() -> None:
    (row_,) = rows(f"{HEADER}\n{row(source_address='ada@web.de', source_server='IMAP.web.de')}")
    assert row_.source.login == "ada"
    (row_,) = rows(f"{HEADER}\n{row(source_address='ada@web.de', source_server='imap.old.example')}")
    assert row_.source.login == "ada@web.de"
    (row_,) = rows(f"{HEADER}\n{row(source_address='ada@old.example', source_server='imap.web.de')}")
    assert row_.source.login == "ada@old.example"


@pytest.mark.parametrize(
    ("cell", "endpoint", "login"),
    [
        ("mail.old.example", Endpoint("mail.old.example"), "ada@old.example"),
        ("mail.old.example:1993", Endpoint("mail.old.example", 1993), "ada@old.example"),
        ("imap://mail", Endpoint("mail", 143, Security.STARTTLS), "ada@old.example"),
        ("imaps://root@mail.old.example", Endpoint("mail.old.example"), "root"),
        ("imaps://ada%40x@mail.old.example", Endpoint("mail.old.example"), "ada@x"),
        ("192.0.2.7", Endpoint("192.0.2.7"), "ada@old.example"),
        ("imaps://[2001:db8::7]", Endpoint("2001:db8::7"), "ada@old.example"),
        ("imap.bücher.example", Endpoint("imap.bücher.example"), "ada@old.example"),
    ],
)
def test_a_server_can_be_given_in_several_notations(cell: str, endpoint: Endpoint, login: str) -> None:
    (row_,) = rows(f"{HEADER}\n{row(source_server=cell)}")
    assert (row_.source.endpoint, row_.source.login) == (endpoint, login)


def test_plaintext_needs_the_operators_permission() -> None:
    text = f"{HEADER}\n{row(source_server='imap://mail.old.example')}"
    assert read(text).rows[0].source.endpoint.security is Security.STARTTLS
    assert read(text, allow_plaintext=True).rows[0].source.endpoint.security is Security.PLAINTEXT


def test_the_destination_server_of_a_row_takes_precedence() -> None:
    text = f"{HEADER},destination_server\n{GOOD},imap.other.example\n{row(source_address='bob@old.example')}"
    assert [row_.destination.endpoint.host for row_ in rows(text)] == [
        "imap.other.example",
        "imap.new.example",
    ]


def test_two_sources_may_share_a_destination() -> None:
    assert len(rows(f"{HEADER}\n{GOOD}\n{row(source_address='bob@old.example')}")) == 2


@pytest.mark.parametrize(
    "password", ["  two  ", "=1+1", "a,b", "a;b", 'a"b', '"', "#x", "pä€s", "'", "\u2028x"]
)
def test_a_password_is_not_changed(password: str) -> None:
    (row_,) = rows(f"{HEADER}\n{row(source_password=password, destination_password=password)}")
    assert revealed(row_.source_password) == revealed(row_.destination_password) == password


def test_blanks_around_other_cells_are_ignored() -> None:
    text = " Source_Address ,SOURCE_PASSWORD,source_server, destination_address,destination_password\n"
    (row_,) = rows(f"{text}  ada@old.example , pw,  , ada@new.example\t,pw")
    assert (row_.source.address, row_.destination.address) == ("ada@old.example", "ada@new.example")
    assert revealed(row_.source_password) == " pw"


def test_columns_may_be_in_any_order() -> None:
    text = "destination_address,destination_password,source_address,source_password,source_server\n"
    (row_,) = rows(f"{text}ada@new.example,new,ada@old.example,old,")
    assert (revealed(row_.source_password), row_.destination.address) == ("old", "ada@new.example")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (b"", "cp1252"),
    ],
)
def test_common_encodings_and_delimiters_are_recognised(
    delimiter: str, end: str, mark: bytes, encoding: str
) -> None:
    cells = ["ada@old.example", "pässwörd€", "", "ada@new.example", "x"]
    text = HEADER.replace(",", delimiter) + end + delimiter.join(cells) + end
    (row_,) = rows(mark + text.encode(encoding))
    assert (row_.line, revealed(row_.source_password)) == (2, "pässwörd€")


def test_a_file_of_german_excel_is_read() -> None:
    lines = [
        HEADER.replace(",", ";"),
        "# eine Erklärung;;;;",
        '"# noch eine; mit Semikolon";;;;',
        ";;;;",
        'ada@old.example;"päss;wort";;ada@new.example;"a ""b"""',
        ";;;;",
        "",
    ]
    (row_,) = rows("\r\n".join(lines).encode("cp1252"))
    assert row_.line == 5
    assert (revealed(row_.source_password), revealed(row_.destination_password)) == ("päss;wort", 'a "b"')


def test_empty_columns_at_the_end_are_ignored() -> None:
    assert len(rows(f"{HEADER},,\n{GOOD},,\n{GOOD.replace('ada', 'bob')},,,")) == 2
    assert len(rows(f"{HEADER},destination_server,problem\n{GOOD}")) == 1


def test_a_line_with_too_many_cells_is_rejected() -> None:
    problem = only(f"{HEADER}\n{GOOD}\nbob@old.example,s3,cret,,ada@new.example,pw")
    assert (problem.line, problem.column, problem.rule) == (3, "", "cell_count")


def test_comments_and_blank_lines_are_ignored_and_cannot_hide_a_row() -> None:
    text = f'# first "\n\n{HEADER}\n# see,"this\n  # x\n \t \n{GOOD}\n#{GOOD}\n'
    (row_,) = rows(text)
    assert row_.line == 7


def test_line_numbers_are_correct_after_a_cell_with_a_line_break() -> None:
    text = f'{HEADER}\n"ada@old.example\n\n",pw,"",ada@new.example,pw\nbob,pw,,bob@new.example,pw\n'
    problem = only(text)
    assert (problem.line, problem.column) == (5, "source_address")


# --- Invalid files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "column", "rule"),
    [
        ({"source_address": ""}, "source_address", "address_missing"),
        ({"source_address": "ada"}, "source_address", "address_invalid"),
        ({"source_address": "@old.example"}, "source_address", "address_invalid"),
        ({"source_address": "ada@"}, "source_address", "address_invalid"),
        ({"source_address": "a da@old.example"}, "source_address", "address_invalid"),
        ({"source_address": "ada@old..example"}, "source_address", "address_invalid"),
        ({"source_address": "ada@old.example."}, "source_address", "address_invalid"),
        ({"source_address": "ada@old@old.example"}, "source_address", "address_invalid"),
        ({"source_address": "mailto:ada@old.example"}, "source_address", "address_invalid"),
        ({"source_address": "ada\u200b@old.example"}, "source_address", "address_invalid"),
        ({"source_address": "ada@old\n.example"}, "source_address", "control_character"),
        ({"source_address": "a" * 310 + "@old.example"}, "source_address", "cell_too_long"),
        ({"source_address": "ada@gmail"}, "source_address", "server_unknown"),
        (
            {"source_address": "ada@gmail.com", "source_password": ""},
            "source_address",
            "provider_unavailable",
        ),
        ({"source_address": "ada@Outlook.com"}, "source_address", "provider_unavailable"),
        ({"source_address": "ada@pm.me"}, "source_address", "provider_unavailable"),
        ({"source_server": "outlook.office365.com"}, "source_server", "provider_unavailable"),
        ({"source_password": ""}, "source_password", "password_missing"),
        ({"source_password": "  "}, "source_password", "password_missing"),
        ({"source_password": "a\r\nb"}, "source_password", "control_character"),
        ({"source_password": "a\x1bb"}, "source_password", "control_character"),
        ({"source_password": "x" * 1001}, "source_password", "cell_too_long"),
        ({"source_server": "https://imap.old.example"}, "source_server", "server_invalid"),
        ({"source_server": "imap old.example"}, "source_server", "server_invalid"),
        ({"source_server": "imap.old.example:0"}, "source_server", "server_invalid"),
        ({"source_server": "imap.old.example?x"}, "source_server", "server_invalid"),
        ({"source_server": "imap..old.example"}, "source_server", "server_invalid"),
        ({"source_server": "imaps://[::1"}, "source_server", "server_invalid"),
        ({"source_server": "ada@old.example"}, "source_server", "server_invalid"),
        ({"source_server": "word"}, "source_server", "server_invalid"),
        ({"source_server": "imaps://ada:hush@imap.old.example"}, "source_server", "password_in_server"),
        ({"source_server": "ada:hush@imap.old.example"}, "source_server", "password_in_server"),
        ({"source_server": "imap.old.example\x07"}, "source_server", "control_character"),
        ({"source_server": "imaps://a%0d%0ab@imap.old.example"}, "source_server", "server_invalid"),
        ({"source_server": "imaps://ada:hu/sh@imap.old.example"}, "source_server", "password_in_server"),
        ({"destination_address": "ada"}, "destination_address", "address_invalid"),
        ({"destination_password": ""}, "destination_password", "password_missing"),
    ],
)
def test_an_invalid_cell_is_reported_with_line_column_and_rule(
    cells: dict[str, str], column: str, rule: str
) -> None:
    problem = only(f"{HEADER}\n{row(source_address='bob@old.example')}{row(**cells)}")
    assert (problem.line, problem.column, problem.rule) == (3, column, rule)
    assert "hush" not in str(problem)


def test_an_unsupported_provider_is_explained_with_its_own_text() -> None:
    provider = CATALOG.for_domain("outlook.com")
    assert provider is not None
    problem = only(f"{HEADER}\n{row(source_address='ada@outlook.com')}")
    assert texts("en").typeset(provider.unavailable) in ENGLISH(problem)
    german = texts("de").typeset(provider.login_unavailable_in("de", LoginKind.PASSWORD))
    assert german in row_problem_text(texts("de"), problem)


# --- Owner consent ------------------------------------------------------------------------------------


def parse_with_sign_in(text: str) -> Parsed:
    """Parse as an installation with sign-in at Google and Microsoft."""
    return parse(
        f"{HEADER}\n{text}".encode(),
        catalog=LOOKUP,
        destination=NEW,
        sign_in=lambda provider, mailbox: provider in ("google", "microsoft") and "@" in mailbox,
    )


@pytest.mark.parametrize(
    ("cells", "provider", "host"),
    [
        ({"source_address": "ada@gmail.com"}, "google", "imap.gmail.com"),
        ({"source_address": "ada@outlook.com"}, "microsoft", "outlook.office365.com"),
        ({"source_server": "imap.gmail.com"}, "google", "imap.gmail.com"),
    ],
)
def test_a_row_without_a_password_is_valid_if_its_owner_can_sign_in(
    cells: dict[str, str], provider: str, host: str
) -> None:
    parsed = parse_with_sign_in(row(source_password=" ", **cells))
    assert not parsed.problems
    [row_] = parsed.rows
    assert (row_.source_password, row_.source_sign_in) == (None, provider)
    assert row_.source.endpoint.host == host


@pytest.mark.parametrize("read_file", [parse_with_sign_in, lambda text: read(f"{HEADER}\n{text}")])
def test_an_app_password_is_used_with_and_without_sign_in(
    read_file: Callable[[str], Parsed],
) -> None:
    [row_] = read_file(row(source_address="ada@gmail.com", source_password="app pass")).rows
    assert (revealed(row_.source_password), row_.source_sign_in) == ("app pass", "")


def test_a_password_must_be_omitted_if_the_host_accepts_none() -> None:
    [problem] = parse_with_sign_in(row(source_address="ada@outlook.com")).problems
    assert (problem.column, problem.rule) == ("source_password", "password_not_taken")
    assert "asked to sign in" in fix(problem)


def test_other_hosts_need_a_password() -> None:
    [problem] = parse_with_sign_in(row(source_password="")).problems
    assert (problem.column, problem.rule) == ("source_password", "password_missing")


def test_sign_in_is_limited_to_the_owners_mailbox() -> None:
    other = "imaps://board@old.example@outlook.office365.com"
    [problem] = parse_with_sign_in(row(source_password="", source_server=other)).problems
    assert (problem.column, problem.rule) == ("source_server", "login_elsewhere")
    same = "imaps://ADA@old.example@outlook.office365.com"
    assert not parse_with_sign_in(row(source_password="", source_server=same)).problems


def test_sign_in_is_not_offered_for_another_host() -> None:
    moved = row(source_address="ada@gmail.com", source_password="", source_server="imap.old.example")
    [problem] = parse_with_sign_in(moved).problems
    assert problem.rule == "password_missing"


def test_an_explicit_server_overrides_that_of_the_domain() -> None:
    (row_,) = rows(f"{HEADER}\n{row(source_address='ada@gmail.com', source_server='imap.old.example')}")
    assert row_.source.login == "ada@gmail.com"


@pytest.mark.parametrize("login", ["ada@new.example", "Ada@New.Example"])
def test_a_mailbox_is_not_copied_into_itself(login: str) -> None:
    problem = only(f"{HEADER}\n{row(source_address=login, source_server='IMAP.new.example')}")
    assert (problem.line, problem.column, problem.rule) == (2, "destination_address", "same_mailbox")


def test_a_repeated_import_is_reported_with_the_other_line() -> None:
    again = row(source_address="ADA@old.example", source_password="other")
    problem = only(f"{HEADER}\n# x\n{GOOD}\n{again}")
    assert (problem.line, problem.column, problem.rule) == (4, "source_address", "duplicate_row")
    assert "Line 3 " in message(problem)


def test_without_a_default_destination_the_file_must_name_one() -> None:
    problem = only(f"{HEADER}\n{GOOD}\n{GOOD.replace('ada', 'bob')}", destination=None)
    assert (problem.line, problem.column) == (1, "destination_server")
    problem = only(f"{HEADER},destination_server\n{GOOD},imap.x.example\n{GOOD}", destination=None)
    assert (problem.line, problem.column, problem.rule) == (
        3,
        "destination_server",
        "destination_server_missing",
    )


def test_all_problems_are_reported_together_in_order() -> None:
    bad = 'ada,,nix,ada@new.example,"a\tb"\nada@old.example,x,,y\n"ada@old.example"x,\n'
    parsed = read(f"{HEADER}\n{GOOD}\n{bad},,,,pw\n")
    assert [(p.line, p.column, p.rule) for p in parsed.problems] == [
        (3, "source_address", "address_invalid"),
        (3, "source_password", "password_missing"),
        (3, "source_server", "server_invalid"),
        (3, "destination_password", "control_character"),
        (4, "", "cell_count"),
        (5, "", "quotes"),
        (6, "source_address", "address_missing"),
        (6, "source_password", "password_missing"),
        (6, "destination_address", "address_missing"),
    ]
    assert parsed.row_count == 5


@pytest.mark.parametrize(
    ("header", "rules"),
    [
        (
            HEADER.replace("source_address", "source_addres"),
            [("source_addres", "unknown_column")],
        ),
        (HEADER.replace("source_server", "sorce server"), [("sorce server", "unknown_column")]),
        (HEADER.replace("destination_address", "to"), [("destination_address", "missing_column")]),
        (f"{HEADER},source_server", [("source_server", "repeated_column")]),
        (
            "source_password,source_address,source_server,destination_address,destination_password",
            [("source_password", "password_first")],
        ),
        ("", [("", "header_missing")]),
        ("a,b,c", [("", "header_missing")]),
    ],
)
def test_an_invalid_header_is_explained_and_no_row_is_parsed(
    header: str, rules: list[tuple[str, str]]
) -> None:
    parsed = read(f"{header}\n{GOOD}\n")
    assert [(p.column, p.rule) for p in parsed.problems] == rules
    assert not parsed.rows
    assert all(fix(p) and message(p).endswith(".") for p in parsed.problems)


def test_a_file_without_a_header_does_not_reveal_its_passwords() -> None:
    parsed = read(f"{GOOD}\n{GOOD}\n")
    assert [p.rule for p in parsed.problems] == ["header_missing"]
    assert "s3cret" not in str(parsed.problems[0])
    assert "s3cret" not in annotate(parsed, ENGLISH)


@pytest.mark.parametrize(
    ("data", "line", "rule"),
    [
        (b"", 0, "header_missing"),
        (HEADER.encode(), 0, "no_rows"),
        (b"x" * 70_000, 0, "file_too_large"),
        (f"{HEADER}\n{GOOD}\nx\0".encode(), 3, "not_text"),
        (b"\xff\xfea", 0, "not_text"),
        (b"\xef\xbb\xbf\xff", 0, "not_text"),
        (b"a\x81", 0, "not_text"),
        (f'{HEADER}\n"ada@old.example,\n\n'.encode(), 2, "quotes"),
    ],
)
def test_an_unreadable_file_has_a_reason(data: bytes, line: int, rule: str) -> None:
    problem = only(data)
    assert (problem.line, problem.rule) == (line, rule)


def many(count: int) -> str:
    return "\n".join([HEADER, *(GOOD.replace("ada", f"ada{n}") for n in range(count))])


def test_a_batch_has_at_most_25_rows_and_larger_files_can_be_split() -> None:
    assert len(rows(many(25))) == 25
    parsed = read(many(26))
    assert [(p.line, p.rule) for p in parsed.problems] == [(27, "too_many_rows")]
    assert "26 rows" in message(parsed.problems[0])
    assert "--split" in fix(parsed.problems[0])
    assert parsed.row_count == 26


def test_a_long_file_is_split_into_batches_in_order() -> None:
    parsed = read(many(60), max_rows=None)
    assert not parsed.problems
    batches = list(split(parsed.rows))
    assert [len(batch) for batch in batches] == [25, 25, 10]
    assert [r.line for batch in batches for r in batch] == list(range(2, 62))
    assert list(split(read(HEADER).rows)) == []


def test_a_file_is_not_parsed_beyond_its_row_limit() -> None:
    parsed = read(many(1000) + "\nada,,,,", max_rows=None)
    assert [(p.line, p.rule) for p in parsed.problems] == [(1002, "too_many_rows")]
    assert parsed.row_count == 1001


def test_no_repr_contains_a_password() -> None:
    assert "s3cret" not in repr(read(f"{HEADER}\n{GOOD}\n"))


# --- The annotated file -----------------------------------------------------------------------------


def test_the_annotated_file_has_the_problems_of_each_row_and_no_password() -> None:
    hush = "hush@old.example"  # a password in the form of an address
    bad = row(source_address="ada@outlook.com", source_password=hush) + row(source_server="s3cret")
    text = f"# hush\n{HEADER}\n{GOOD}\n#{GOOD}\n\n{bad}"
    data = text.encode()
    parsed = read(data)
    lines = annotate(parsed, ENGLISH).split("\r\n")
    assert "s3cret" not in "".join(lines)
    assert "hush" not in "".join(lines)
    assert next(csv.reader([lines[1]])) == [*HEADER.split(","), "problem"]
    assert next(csv.reader([lines[2]])) == ["ada@old.example", "", "", "ada@new.example", "", ""]
    assert lines[3] == lines[4] == ""
    cells = next(csv.reader([lines[5]]))
    assert cells[0] == "ada@outlook.com"
    assert cells[-1] == ENGLISH(parsed.problems[0])
    assert cells[-1].startswith("Line 6, source_address: ")
    assert "Line 7, source_server: " in next(csv.reader([lines[6]]))[-1]


def test_the_annotated_file_can_be_completed_and_submitted_again() -> None:
    data = f"{HEADER}\n{GOOD}\n{row(source_password='')}".replace(",", ";").encode()
    again = annotate(read(data), ENGLISH).replace('"ada@new.example";""', '"ada@new.example";"pw"')
    assert [(p.line, p.column) for p in read(again).problems] == [
        (2, "source_password"),
        (3, "source_address"),
        (3, "source_password"),
    ]


def test_problems_of_the_whole_file_are_appended_as_comments() -> None:
    data = HEADER.encode()
    assert annotate(read(data), ENGLISH).endswith(
        '"problem"\r\n# There is no row in the file. '
        "Write one line for each mailbox, below the names of the columns.\r\n"
    )


@pytest.mark.parametrize("start", "=+-")
def test_addresses_cannot_become_spreadsheet_formulas(start: str) -> None:
    data = f"{HEADER}\n{row(source_address=f'{start}cmd@old.example')}".encode()
    assert f'"\'{start}cmd@old.example"' in annotate(read(data), ENGLISH)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_template_in_the_repository_matches_the_console(language: str) -> None:
    name = "batch.csv" if language == "en" else f"batch.{language}.csv"
    path = Path(__file__).parents[2] / "templates" / "csv" / name
    assert path.read_bytes() == csv_template(texts(language))


def test_the_columns_of_the_english_template_are_those_of_the_api() -> None:
    assert template().splitlines()[0] == HEADER
    assert template().isascii()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("write", [csv_template, workbook_template])
def test_a_template_is_read_in_each_language(
    write: Callable[[CatalogTranslator], bytes], language: str
) -> None:
    content = write(texts(language))
    parsed = read(content)
    assert [problem.rule for problem in parsed.problems] == ["no_rows"]
    assert parsed.sheet.columns == tuple(HEADER.split(","))
    assert not parsed.notes


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_filled_in_template_is_read_with_the_separator_of_its_language(language: str) -> None:
    text = template(language)
    cells = ["ada@old.example", "a,b;c", "", "ada@new.example", "x"]
    out = io.StringIO()
    csv.writer(out, delimiter="," if language == "en" else ";").writerow(cells)
    (row_,) = rows(text + out.getvalue())
    assert revealed(row_.source_password) == "a,b;c"
    assert text.partition("\n")[0].count("," if language == "en" else ";") == 4


def test_the_template_of_an_earlier_version_is_still_read() -> None:
    old = (
        f"{HEADER}\n# One line for each mailbox, at most 25 lines in one file.\n"
        "#   or imaps://login@imap.old.example if the login is not the address.\n"
        "#ada@old.example,correct horse battery staple,,ada@new.example,Tr0ub4dor\n"
        '#grace@old.example,"a comma, a "" quotation mark",imap.old.example,grace@new.example,"  blanks  "\n'
    )
    parsed = read(f"{old}{GOOD}\n")
    assert (len(parsed.rows), parsed.problems, parsed.notes) == (1, (), ())


# --- Choices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "labels", "sync_flags"),
    [
        (",", None, None),
        ("one,no", LabelRule.ONE, False),
        (" Keywords ,YES", LabelRule.KEYWORDS, True),
        ("each,WAHR", LabelRule.EACH, True),
        (",falso", None, False),
    ],
)
def test_a_row_chooses_the_handling_of_labels_and_flags(
    cells: str, labels: LabelRule | None, sync_flags: bool | None
) -> None:
    [row_] = rows(f"{HEADER},labels,sync_flags\n{GOOD},{cells}")
    assert (row_.choices.get("labels"), row_.choices.get("sync_flags")) == (labels, sync_flags)
    usual = ImportOptions(labels=LabelRule.EACH, sync_flags=True).choose(row_.choices)
    assert usual.labels is (labels or LabelRule.EACH)
    assert usual.sync_flags is (True if sync_flags is None else sync_flags)


def test_choices_may_be_omitted_at_the_end_of_a_line() -> None:
    [first, second] = rows(
        f"{HEADER},labels,sync_flags\n{GOOD},each\n{row(source_address='bob@old.example')}"
    )
    assert (first.choices, second.choices) == ({"labels": LabelRule.EACH}, {})


def test_an_invalid_choice_is_reported_at_its_cell_without_being_quoted() -> None:
    text = f"{HEADER},labels,sync_flags\n{GOOD},s3cret-one,s3cret-two"
    parsed = read(text)
    assert [(p.column, p.rule) for p in parsed.problems] == [
        ("labels", "labels_invalid"),
        ("sync_flags", "yes_no_invalid"),
    ]
    assert "s3cret" not in str(parsed.problems)
    assert "s3cret" not in annotate(parsed, ENGLISH)
    annotated_text = f"{HEADER},labels,sync_flags\n{GOOD},each,often"
    assert '"each",""' in annotate(read(annotated_text), ENGLISH)


# --- Discovery of servers ---------------------------------------------------------------------------------


def test_all_addresses_to_discover_are_announced_together() -> None:
    lookup = UsualNames()
    lines = [
        row(),
        row(source_address="bob@gmx.de"),
        row(source_address="x"),
        row(source_server="imap.old.example"),
    ]
    parse("\n".join([HEADER, *lines]).encode(), catalog=lookup, destination=Endpoint("imap.new.example"))
    assert lookup.expected == ["ada@old.example", "bob@gmx.de"]


def test_an_address_without_a_server_has_a_reason_and_a_fix() -> None:
    parsed = parse(
        f"{HEADER}\n{GOOD}".encode(), catalog=CATALOG, destination=Endpoint("imap.new.example")
    )  # the catalog alone makes no lookups
    [problem] = parsed.problems
    assert (problem.column, problem.rule) == ("source_address", "server_unknown")
    assert "old.example" in message(problem)
    assert "imap.old.example" in fix(problem)


@pytest.mark.parametrize("public_only", [True, False])
def test_user_supplied_and_discovered_servers_are_restricted_to_public_addresses(public_only: bool) -> None:
    text = "\n".join(
        [
            f"{HEADER},destination_server",
            f"{GOOD},",
            "bob@old.example,pw,imap.old.example,bob@new.example,pw,imap.other.example",
        ]
    )
    parsed = parse(
        text.encode(), catalog=LOOKUP, destination=Endpoint("imap.new.example"), public_only=public_only
    )
    first, second = parsed.rows
    assert first.source.public_only
    assert not first.destination.public_only  # set by the operator
    assert second.source.public_only is second.destination.public_only is public_only


@pytest.mark.parametrize("language", ["de", "fr", "it", "es"])
@pytest.mark.parametrize(
    ("text", "place", "named"),
    [
        ("source_addres,source_password\nx,y\n", ("1", "source_addres"), "“source_addres”"),
        (f"{HEADER}\n{row(source_address='ada')}", ("2", "source_address"), "ada@old.example"),
        (f"{HEADER}\n{row()}{row()}", ("3", "source_address"), "2"),
        (f"{HEADER}\na,b\n", ("2",), "5"),
        (HEADER, (), "."),
    ],
)
def test_a_problem_names_its_place_and_the_fix_in_the_readers_language(
    text: str, place: tuple[str, ...], named: str, language: str
) -> None:
    problem = read(text).problems[0]
    shown = row_problem_text(texts(language), problem)
    assert all(word in shown.partition(":")[0] for word in place)
    assert named.strip("“”") in shown
    assert shown != ENGLISH(problem)
    assert shown[0].isupper()
    assert cell_problem_text(texts(language), problem.text) in shown
    assert advice(problem.text, texts(language)) != fix(problem)
