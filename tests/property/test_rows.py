"""A CSV file is read as intended, whichever program wrote it, and no output ever shows a password."""

from __future__ import annotations

import codecs
import csv
import io
from functools import partial
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from importer.domain.csv_import.csv_cells import address, server
from importer.domain.csv_import.csv_files import annotate
from importer.domain.csv_import.import_rows import Parsed, split
from importer.domain.csv_import.row_parser import parse
from importer.i18n.row_problem_texts import row_problem_text
from importer.i18n.translations import texts
from providers.endpoint import Endpoint, Secret
from tests.lookups import UsualNames

LOOKUP = UsualNames()
CATALOG = LOOKUP.catalog
COLUMNS = [
    "source_address",
    "source_password",
    "source_server",
    "destination_address",
    "destination_password",
]
CANARY = "cAnArY"
MARKS = {"utf-8-sig": b"", "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}

PASSWORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).filter(str.strip)
LOCAL_PARTS = st.from_regex(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,20}", fullmatch=True).filter(
    lambda local: not local.startswith(("'=", "'+", "'-", "#ada", "#grace"))
)
ROWS = st.lists(
    st.tuples(
        LOCAL_PARTS, PASSWORDS, st.sampled_from(["", "imap.old.example", "imap://mail:1143"]), PASSWORDS
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0].casefold(),
)


def read(data: bytes, max_rows: int | None = 25) -> Parsed:
    return parse(data, catalog=LOOKUP, destination=Endpoint("imap.new.example"), max_rows=max_rows)


DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t"]),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    }
)


@given(
    ROWS,
    DIALECTS,
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "cp1252"]),
    st.permutations(COLUMNS),
)
def test_files_of_any_program_are_read_as_intended(
    given_rows: list[tuple[str, str, str, str]], dialect: dict[str, Any], encoding: str, columns: list[str]
) -> None:
    assume("password" not in columns[0])
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, **dialect)
    writer.writeheader()
    for local, first, host, second in given_rows:
        cells = [f"{local}@old.example", first, host, f"{local}@new.example", second]
        writer.writerow(dict(zip(COLUMNS, cells, strict=True)))
    try:
        data = MARKS.get(encoding, b"") + out.getvalue().encode(encoding)
    except UnicodeEncodeError:
        assume(False)
    if encoding == "cp1252":
        assume(data.isascii() or not _is_utf8(data))
    parsed = read(data)
    assert not parsed.problems
    assert [
        (
            row.line,
            row.source.address,
            shown(row.source_password),
            row.destination.address,
            shown(row.destination_password),
        )
        for row in parsed.rows
    ] == [
        (line, f"{local}@old.example", first, f"{local}@new.example", second)
        for line, (local, first, _, second) in enumerate(given_rows, start=2)
    ]


def shown(password: Secret | None) -> str:
    assert password is not None
    return password.reveal()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.binary(max_size=400), st.booleans(), st.sampled_from([25, 1, None]))
@example(b"\xff\xfe\x00", True, 25)
@example(b'"', True, 25)
def test_the_reader_survives_any_file(data: bytes, with_header: bool, max_rows: int | None) -> None:
    data = (",".join(COLUMNS).encode() + b"\n" if with_header else b"") + data
    parsed = read(data, max_rows)
    assert parsed.problems or len(parsed.rows) == parsed.row_count
    assert parsed.problems == tuple(sorted(parsed.problems, key=lambda problem: problem.line))
    assert sum(len(batch) for batch in split(parsed.rows)) == len(parsed.rows)
    annotate(parsed, partial(row_problem_text, texts("en")), "problem")


CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "ada@old.example", "ada@web.de", "ada@gmail.com", "x", "imap.old.example", "imap://a", "=1"]
    ),
    st.text(max_size=6),
    st.sampled_from(['"', '""', ",", ";", "\n", "#", "@", "://", "\x00", "\u202e"]),
)
LEAKS = st.tuples(CELLS, st.just(CANARY), CELLS).map("".join)


@given(
    st.lists(st.lists(CELLS | LEAKS, min_size=1, max_size=7), min_size=1, max_size=6), st.sampled_from(",;\t")
)
@example([["ada@old.example", f"a,{CANARY}", "", "ada@new.example", "x"]], ",")
@example([["ada@old.example", "pw", f"imaps://ada:{CANARY}@a", "ada@new.example", "x"]], ",")
@example([["ada@old.example", f'"{CANARY}"x', "", "ada@new.example", "x"]], ",")
def test_no_problem_or_annotated_file_shows_a_password(cells: list[list[str]], delimiter: str) -> None:
    """Any cell may be a password here, also one in a wrong column, whole or in parts."""
    lines = [delimiter.join(line) for line in [COLUMNS, *cells]]
    data = "\n".join(lines).encode()
    parsed = read(data)
    assert CANARY not in "".join(map(repr, parsed.problems)) + "".join(map(str, parsed.problems))
    header, *shown = csv.reader(
        io.StringIO(annotate(parsed, partial(row_problem_text, texts("en")), "problem"), newline=""),
        delimiter=delimiter,
    )
    for line in shown:
        for column, cell in zip(header, line, strict=False):
            if CANARY in cell:  # undetectable where it is a whole address or server
                assert (server if column.endswith("server") else address)(cell.removeprefix("'"))
                assert column in ("source_address", "source_server", "destination_address")
