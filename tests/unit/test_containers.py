"""The image, Compose and the proxy: held to the repository, to the settings, and to one another."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import stat
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from sqlalchemy import make_url

from importer.adapters.fernet_vault import FernetVault, load_keys
from importer.settings import Settings
from importer.worker import STOP_TIMEOUT_MS
from tests.deployment import DEPLOY, ROOT, SETTINGS, can_be_typed, environment_file

COMPOSE: Final = DEPLOY / "compose"
CONTAINERFILE: Final = DEPLOY / "container" / "Containerfile"
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in SETTINGS | {"CREDENTIALS_DIRECTORY"}:
        monkeypatch.delenv(variable, raising=False)


def instructions() -> Iterator[tuple[str, str]]:
    """(INSTRUCTION, arguments) of the Containerfile."""
    text = re.sub(r"^\s*#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, rest.strip()


def copied() -> list[str]:
    """What the image is built from, as names in the repository."""
    sources = [shlex.split(rest)[:-1] for name, rest in instructions() if name == "COPY"]
    return [source for words in sources for source in words if not words[0].startswith("--from=")]


def test_the_image_is_built_from_what_is_there_and_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = [line[1:] for line in ignored if line.startswith("!")]
    assert "*" in ignored
    assert sorted(let_through) == sorted(copied())
    for name in copied():
        assert (ROOT / name).exists(), name
        assert not any(fnmatch.fnmatch(name, line) for line in ignored if not line.startswith(("!", "*")))


def test_the_image_has_the_tested_versions_no_root_and_no_secret() -> None:
    steps = list(instructions())
    installs = [
        one for name, rest in steps if name == "RUN" for one in rest.split("&&") if "pip install" in one
    ]
    assert all("--require-hashes" in one for one in installs if " -r " in one)
    assert all("--no-index" in one for one in installs if " -r " not in one)
    assert sum(" -r " in one for one in installs) == 2
    [python] = [rest for name, rest in steps if name == "ARG"]
    found = re.fullmatch(r"PYTHON=(\d+)\.(\d+)-slim-\w+", python)
    assert found
    assert (int(found[1]), int(found[2])) >= tuple(map(int, re.findall(r"\d+", PROJECT["requires-python"])))
    users = [rest for name, rest in steps if name == "USER"]
    assert users == ["10001:10001"]
    variables = {v for name, rest in steps if name in ("ENV", "ARG") for v in re.findall(r"(\w+)=", rest)}
    assert {name for name in variables if name.startswith("MAILHAUL_")} <= SETTINGS
    assert not [name for name in variables if re.search("SECRET|PASSWORD|KEY|TOKEN", name)]
    assert f"mailhaul:{PROJECT['version']} ." in CONTAINERFILE.read_text(encoding="utf-8")


def test_the_image_starts_and_looks_after_itself_with_commands_that_exist() -> None:
    steps = dict(instructions())
    assert yaml.safe_load(steps["ENTRYPOINT"]) == ["mailhaul"]
    can_be_typed(yaml.safe_load(steps["CMD"]))
    program, *words = yaml.safe_load(steps["HEALTHCHECK"].partition(" CMD ")[2])
    assert program == "mailhaul"
    can_be_typed(words)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    return read


OURS: Final = ("web", "worker", "migrate")

# Of the Compose Specification (compose-spec/compose-spec, schema/compose-spec.json), what we use.
SERVICE_KEYS: Final = {
    "build", "cap_add", "cap_drop", "command", "depends_on", "env_file", "environment", "healthcheck",
    "image", "init", "logging", "mem_limit", "networks", "pids_limit", "ports", "read_only", "restart",
    "secrets", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip


def test_compose_names_only_what_it_declares(compose: dict[str, Any]) -> None:
    services = compose["services"]
    used: dict[str, set[str]] = {"networks": set(), "secrets": set(), "volumes": set()}
    for name, service in services.items():
        assert set(service) <= SERVICE_KEYS, name
        used["networks"] |= set(service["networks"])
        used["secrets"] |= set(service.get("secrets", ()))
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (COMPOSE / source).is_file(), source
            else:
                used["volumes"].add(source)
        for other, need in service.get("depends_on", {}).items():
            assert need["condition"] in ("service_healthy", "service_completed_successfully")
            if need["condition"] == "service_healthy":
                assert services[other]["healthcheck"]["test"], other
            else:
                assert services[other]["restart"].startswith("on-failure"), other
    for kind, names in used.items():
        assert names == set(compose[kind]), kind
    build = services["web"]["build"]
    assert (COMPOSE / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == CONTAINERFILE


def test_compose_lets_nobody_in_but_through_the_proxy(compose: dict[str, Any]) -> None:
    services, networks = compose["services"], compose["networks"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    for name in ("postgres", "valkey", "migrate"):
        assert all(networks[network].get("internal") for network in services[name]["networks"]), name
    assert not set(services["proxy"]["networks"]) & set(services["postgres"]["networks"])
    [pages] = networks["pages"]["ipam"]["config"]
    assert services["web"]["environment"]["MAILHAUL_WEB_PROXIES"] == pages["subnet"]
    port = services["web"]["environment"]["MAILHAUL_WEB_LISTEN"].rpartition(":")[2]
    assert services["proxy"]["environment"]["UPSTREAM"] == f"web:{port}"
    assert f":{port}/health" in services["web"]["healthcheck"]["test"][-1]


def test_compose_confines_every_service_and_looks_after_it(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"]["max-size"]
        assert service["restart"] in ("unless-stopped", "on-failure:5")
        assert re.search(r":(\$\{VERSION\b.*\}|v?\d+(\.\d+)*(-\w+)?)$", service["image"]), name
        assert name == "migrate" or service["healthcheck"]["retries"]
        if name in OURS:
            assert service["user"] == "10001:10001"
            can_be_typed(service["command"])
            assert set(service["environment"]) <= SETTINGS
            assert not set(service["environment"]) & set(environment_file(COMPOSE / "mailhaul.env.example"))
    program, *words = compose["services"]["worker"]["healthcheck"]["test"][1:]
    assert program == "mailhaul"
    can_be_typed(words)


def test_compose_gets_its_variables_from_the_example(compose: dict[str, Any]) -> None:
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    given = environment_file(COMPOSE / "env.example")
    assert set(re.findall(r"\$\{(\w+)", text)) == set(given)
    assert given["VERSION"] == PROJECT["version"]
    asked = set(re.findall(r"\{\$(\w+)", (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8")))
    assert asked == set(compose["services"]["proxy"]["environment"])


@pytest.mark.usefixtures("no_settings")
def test_what_compose_needs_is_prepared_once(
    tmp_path: Path, compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "compose"
    shutil.copytree(COMPOSE, folder, ignore=shutil.ignore_patterns("secrets", ".env", "mailhaul.env"))

    def prepared() -> dict[str, bytes]:
        subprocess.run([folder / "prepare"], check=True, capture_output=True)
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    first = prepared()
    assert prepared() == first
    for name, secret in compose["secrets"].items():
        path = folder / secret["file"]
        assert path.name == name
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        assert name == "postgres_password" or name.upper() in SETTINGS
    for name in compose["services"]["web"]["env_file"]:
        assert (folder / name).is_file()
    monkeypatch.setenv("MAILHAUL_SECRETS_DIR", str(folder / "secrets"))
    settings = Settings.load()
    assert make_url(settings.database_url).password == first["postgres_password"].decode().strip()
    assert settings.smtp_url == ""
    FernetVault(load_keys(secret_key=settings.secret_key, secret_key_file=None, data_dir=tmp_path))


def test_docker_takes_the_compose_file(tmp_path: Path) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("docker compose is not installed")
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets", ".env"))
    folder = tmp_path / "deploy" / "compose"
    subprocess.run([folder / "prepare"], check=True, capture_output=True)
    done = subprocess.run(
        ["docker", "compose", "config", "--quiet"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --- Kubernetes -----------------------------------------------------------------------------------


def test_the_example_for_kubernetes_confines_what_it_runs() -> None:
    text = (DEPLOY / "kubernetes" / "mailhaul.yaml").read_text(encoding="utf-8")
    documents = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}
    settings = documents["ConfigMap", "mailhaul"]["data"]
    assert set(settings) <= SETTINGS
    assert {name.upper() for name in re.findall(r"--from-file=(\w+)", text)} <= SETTINGS
    commands = []
    for (kind, name), document in documents.items():
        assert document["metadata"]["namespace"] == "mailhaul"
        if kind != "Deployment":
            continue
        template = document["spec"]["template"]
        labels = template["metadata"]["labels"]
        assert document["spec"]["selector"]["matchLabels"] == labels == {"app": "mailhaul", "part": name}
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in [*pod["containers"], *pod.get("initContainers", ())]:
            assert container["image"].endswith(f":{PROJECT['version']}")
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            assert container["volumeMounts"][0]["mountPath"] == settings["MAILHAUL_SECRETS_DIR"]
            assert container["resources"]["limits"]["memory"]
            commands.append(container["args"])
            if probe := container.get("readinessProbe"):
                commands.append(probe["exec"]["command"][1:])
    assert len(commands) == 4
    for words in commands:
        can_be_typed(words)
    worker = documents["Deployment", "worker"]["spec"]["template"]["spec"]
    assert worker["terminationGracePeriodSeconds"] > STOP_TIMEOUT_MS / 1000 + 10


# --- The proxy ------------------------------------------------------------------------------------


def test_caddy_takes_the_caddyfile(tmp_path: Path) -> None:
    if shutil.which("caddy") is None:
        pytest.skip("Caddy is missing (Debian: caddy)")
    done = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", DEPLOY / "caddy" / "Caddyfile"],
        env=os.environ | {"SITE": "mailhaul.example.org", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
