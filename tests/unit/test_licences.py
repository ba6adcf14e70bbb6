"""The licence list of a release, and that its tools fit the locked versions."""

import re
from pathlib import Path

import pytest

from docs.generate.licences import licence_table

ROOT = Path(__file__).resolve().parents[2]


def bill(*licences: dict[str, object], name: str = "somepackage") -> dict[str, object]:
    return {"components": [{"name": name, "version": "1.2", "licenses": list(licences)}]}


def test_an_spdx_identifier_comes_before_a_free_name() -> None:
    table = licence_table(
        bill({"license": {"name": "License :: OSI Approved :: MIT License"}}, {"license": {"id": "MIT"}})
    )
    assert table.splitlines()[-1] == "| somepackage | 1.2 | MIT |"
    table = licence_table(bill({"license": {"name": "License :: OSI Approved :: BSD License"}}))
    assert table.splitlines()[-1] == "| somepackage | 1.2 | BSD License |"


@pytest.mark.parametrize("licence", ["LGPL-3.0-only", "GNU Lesser General Public License v3", "MPL-2.0"])
def test_a_library_under_a_weak_copyleft_is_listed(licence: str) -> None:
    assert licence in licence_table(bill({"license": {"id": licence}}))


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPL-3.0-or-later", "GNU General Public License v2"])
def test_a_licence_that_does_not_go_with_ours_is_refused(licence: str) -> None:
    with pytest.raises(ValueError, match="somepackage"):
        licence_table(bill({"license": {"id": licence}}))


def test_a_package_without_a_licence_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="somepackage names no licence"):
        licence_table(bill())


def test_every_lock_file_names_the_same_version_of_a_package() -> None:
    versions: dict[str, set[str]] = {}
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-release.lock"):
        for name, version in re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / lock).read_text(), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
