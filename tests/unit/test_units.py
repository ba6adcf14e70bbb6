"""The systemd units: their commands, their confinement, and the settings files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from importer.cli.service_commands import STOP_TIMEOUT_S as UP_STOP_TIMEOUT_S
from importer.settings import Settings
from importer.web.serve import STOP_TIMEOUT_S as WEB_STOP_TIMEOUT_S
from importer.worker import EXIT_TIMEOUT_S, STOP_TIMEOUT_MS
from tests.deployment import DEPLOY, SETTINGS, can_be_typed, environment_file
from tests.rehearsal import units

SERVICES: Final = units.services()

# The maximum exposure level of `systemd-analyze security`, in tenths: 0 is fully confined, 100 unconfined.
# Each version of systemd checks a little more.
EXPOSURE: Final = {"mailhaul-queue.service": 10}
MOST_EXPOSURE: Final = 20

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing (Debian: systemd)"
)


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in SETTINGS | {"CREDENTIALS_DIRECTORY"}:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*/mailhaul.env.example")), ids=lambda p: p.parent.name)
def test_the_example_settings_are_valid(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variables = environment_file(path)
    assert set(variables) <= SETTINGS
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n" + b"image")
    variables["MAILHAUL_BRAND_LOGO"] = str(logo)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    settings = Settings.load()
    assert settings.destination_server is not None
    assert "password" not in path.read_text(encoding="utf-8").replace("no password", "").lower()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the units, with paths of existing programs."""
    folder = tmp_path_factory.mktemp("units")
    units.copy_for(folder, Path("/bin/true"))
    return folder


@needs_systemd
def test_systemd_accepts_every_unit(installed: Path) -> None:
    files = [str(path) for suffix in ("service", "target") for path in installed.glob(f"*.{suffix}")]
    assert len(files) == len(SERVICES) + 1
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    messages = [line for line in result.stderr.splitlines() if "mailhaul" in line]
    assert not messages, "\n".join(messages)
    broken = installed / "mailhaul-broken.service"
    broken.write_text("[Service]\nExecStart=/nowhere/mailhaul web\nProtectSystem=strictly\n")
    broken_result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(broken)], capture_output=True, text=True, check=False
    )
    broken.unlink()
    assert "mailhaul-broken.service" in broken_result.stderr


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_services_are_confined(installed: Path, name: str) -> None:
    result = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=yes",
            "--no-pager",
            f"--threshold={EXPOSURE.get(name, MOST_EXPOSURE)}",
            name.replace("@.", "@1."),
        ],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{installed}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_the_units_match_the_installation_guide(service: units.Service) -> None:
    program, *words = service.words()
    install = (DEPLOY / "INSTALL.md").read_text(encoding="utf-8")
    assert service.name.replace("@.", "@1.").removesuffix(".service") in install
    for line in service.lines:
        for path in re.findall(r"/etc/mailhaul[\w./-]*", line[1]):
            assert path in install or path.rpartition("/")[0] in install, path
    assert service.one("PartOf") == service.one("WantedBy") == "mailhaul.target"
    assert service.one("NoNewPrivileges") == "yes"
    assert service.one("ProtectSystem") == "strict"
    if program.startswith("/opt/"):
        assert program == "/opt/mailhaul/bin/mailhaul"
        can_be_typed(words)
        assert service.one("EnvironmentFile") == "/etc/mailhaul/mailhaul.env"
        assert service.one("LoadCredential") == "mailhaul:/etc/mailhaul/secrets"
        assert environment_file(units.FOLDER / "mailhaul.env.example")["MAILHAUL_DATA"] == (
            f"/var/lib/{service.one('StateDirectory')}"
        )


def test_services_have_enough_time_to_stop() -> None:
    """All processes end within half a minute of SIGTERM, and nothing kills them earlier."""
    assert STOP_TIMEOUT_MS / 1000 < EXIT_TIMEOUT_S < UP_STOP_TIMEOUT_S <= 27
    assert WEB_STOP_TIMEOUT_S < UP_STOP_TIMEOUT_S
    for name in ("web", "worker@", "up"):
        assert SERVICES[f"mailhaul-{name}.service"].seconds("TimeoutStopSec") == 30
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"))
    for name in ("web", "worker"):
        assert compose["services"][name]["stop_grace_period"] == "30s"


def test_the_queue_listens_at_the_configured_socket() -> None:
    settings = dict(
        line.split(maxsplit=1) for line in (units.FOLDER / "valkey.conf").read_text().splitlines() if line
    )
    redis_url = environment_file(units.FOLDER / "mailhaul.env.example")["MAILHAUL_REDIS_URL"]
    assert redis_url == f"unix://{settings['unixsocket']}"
    directory = SERVICES["mailhaul-queue.service"].one("RuntimeDirectory")
    assert settings["unixsocket"].startswith(f"/run/{directory}/")
    assert (settings["port"], settings["maxmemory-policy"]) == ("0", "noeviction")


def test_the_console_runs_with_the_environment_of_the_services() -> None:
    text = (units.FOLDER / "mailhaul-console").read_text(encoding="utf-8")
    web = SERVICES["mailhaul-web.service"]
    for key in ("EnvironmentFile", "LoadCredential", "UMask", "ProtectSystem"):
        assert f"--property={key}={web.one(key)}" in text
    assert f"--uid={web.one('User')} --gid={web.one('Group')}" in text
    assert web.words()[0] in text
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        assert f'--setenv={name}="${{{name}-}}"' in text  # the console speaks the language of the shell
    assert subprocess.run(["/bin/sh", "-n", units.FOLDER / "mailhaul-console"], check=False).returncode == 0


def test_the_installation_guide_names_exactly_the_existing_files() -> None:
    install = (DEPLOY / "INSTALL.md").read_text(encoding="utf-8").replace("mailhaul-*.service", "")
    for path in units.FOLDER.iterdir():
        assert path.name in install or path.suffix == ".service", path.name
    for name in re.findall(r"\bdeploy/[\w./-]+", install):
        assert (DEPLOY.parent / name).exists(), name
    commands = re.findall(r"^install (?:-[Dm] ?\d* ?)+(.*) /etc\S*$", install, flags=re.MULTILINE)
    sources = [source for command in commands for source in command.split() if "*" not in source]
    assert len(sources) >= 5
    for argument in sources:
        source = argument.removeprefix("/usr/local/src/mailhaul/deploy/")
        assert any((folder / source).is_file() for folder in (units.FOLDER, DEPLOY)), source
