"""Compiled catalogs: read if they belong to their source, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.i18n.catalogs import LOCALE, compiled, compiled_name, translations_of
from tests.texts import LANGUAGES
from tests.unit.test_startup import facts_after

PO = b'msgid "Nothing."\nmsgstr "%s"\n'


def written(folder: Path, word: bytes) -> bytes:
    source = PO % word
    (folder / "de.po").write_bytes(source)
    return source


def test_a_compiled_catalog_is_read_only_if_it_belongs_to_its_source(tmp_path: Path) -> None:
    former = written(tmp_path, b"Nix.")
    name = compiled_name("de", former)
    (tmp_path / name).write_bytes(compiled("de", PO % b"Nichts mehr."))
    assert translations_of("de", tmp_path).gettext("Nothing.") == "Nichts mehr."
    written(tmp_path, b"Nichts.")
    assert translations_of("de", tmp_path).gettext("Nothing.") == "Nichts."


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_compiled_catalog_is_the_same_bytes_each_time(language: str) -> None:
    source = (LOCALE / f"{language}.po").read_bytes()
    assert compiled(language, source) == compiled(language, source)


def test_texts_of_a_compiled_catalog_need_no_babel(tmp_path: Path) -> None:
    source = written(tmp_path, b"Nichts.")
    (tmp_path / compiled_name("de", source)).write_bytes(compiled("de", source))
    code = f"""
import json, pathlib, sys
from importer.i18n.catalogs import translations_of
said = translations_of("de", pathlib.Path({str(tmp_path)!r})).gettext("Nothing.")
print(json.dumps([said, "babel" in sys.modules]))
"""
    assert facts_after(code) == ["Nichts.", False]
