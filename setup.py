"""Compiles the catalogs of translations into the wheel. pyproject.toml has all else of the build."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))  # where a build finds the package

from importer.i18n.catalogs import LOCALE, compiled, compiled_name


class BuildWithCatalogs(build_py):
    """An editable installation has no compiled catalogs: its sources change."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib, "importer", "i18n", "locale")
        for former in folder.glob("*.mo"):
            former.unlink()
        for catalog in LOCALE.glob("*.po"):
            source = catalog.read_bytes()
            name = compiled_name(catalog.stem, source)
            (folder / name).write_bytes(compiled(catalog.stem, source))


setup(cmdclass={"build_py": BuildWithCatalogs})
