"""`python -m docs.generate` writes every generated page."""

from __future__ import annotations

from docs.generate.pages import PAGES

for page, render in PAGES.items():
    page.write_text(render(), encoding="utf-8")
