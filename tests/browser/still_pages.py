"""Pages as one file: with their style sheet inside and without scripts, to be looked at without a server."""

from __future__ import annotations

import re

from importer.web.rendering import assets


def still(html: str) -> str:
    """The same page with its style sheet inside and without its script."""
    css = assets()["app.css"].content.decode()
    html = re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: f"<style>{css}</style>", html)
    return re.sub(r"<script[^>]*></script>", "", html)
