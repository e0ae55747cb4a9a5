# SPDX-License-Identifier: Apache-2.0
"""deploy/compose.yaml: every name in it exists, and every process gets the settings that it requires."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from deploy.local.database import SERVICES, SOURCE_ROOT
from tests.support.process_settings import PROCESSES, loaded, names_of

DEPLOY = SOURCE_ROOT / "deploy"
COMPOSE: Mapping[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CONTAINERS: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
# What deploy/.env holds.
DOT_ENV = {
    "PURSER_PASSWORD": "secret",
    "PURSER_ALERT_SECRET_KEYS": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(:-(?P<default>[^}]*)|:\?[^}]*)?\}")
IS_OURS = {name: one["image"].startswith("${PURSER_IMAGE") for name, one in CONTAINERS.items()}


def _filled(text: str) -> str:
    return VARIABLE.sub(lambda found: DOT_ENV.get(found["name"]) or found["default"] or "", text)


def _environment(container: str) -> dict[str, str]:
    """Return the variables of a container; later files replace earlier ones, and what is written here both."""
    variables: dict[str, str] = {}
    for file in CONTAINERS[container].get("env_file", ()):
        lines = (DEPLOY / file).read_text().splitlines()
        variables |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return variables | {
        name: _filled(str(one)) for name, one in CONTAINERS[container].get("environment", {}).items()
    }


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_gets_the_settings_that_it_requires(process: str) -> None:
    settings: Any = loaded(process, _environment(process))

    assert CONTAINERS[process]["command"] == [f"services.{process}"]
    assert settings.listen.startswith("0.0.0.0:")
    if process in SERVICES:
        job = f"migrate-{process}"
        assert CONTAINERS[job]["command"] == [f"services.{process}", "migrate"]
        migrating: Any = loaded(process, _environment(job), migrates=True)
        assert migrating.database_url == settings.database_url != migrating.migration_database_url
        assert "_MIGRATION_" not in "".join(_environment(process))


def test_every_variable_is_a_setting() -> None:
    known = {name for process in PROCESSES for name in names_of(process)}

    for name in CONTAINERS:
        if IS_OURS[name]:
            assert set(_environment(name)) <= known, name


def test_addresses_are_of_containers_that_listen_there() -> None:
    listened = {}
    for process in PROCESSES:
        for name, value in _environment(process).items():
            if name.startswith(f"PURSER_{process.upper()}_") and name.endswith("LISTEN"):
                listened[f"{process}:{value.rpartition(':')[2]}"] = name
    for process in PROCESSES:
        for name, value in _environment(process).items():
            if name.endswith("_ADDRESS"):
                assert value in listened, f"{name}={value}"
                is_peer = name.split("_")[1].lower() in SERVICES
                assert ("PEER_LISTEN" in listened[value]) is is_peer


def test_everything_that_is_named_exists() -> None:
    for name, one in CONTAINERS.items():
        for other, needs in one.get("depends_on", {}).items():
            other_one = CONTAINERS[other]
            if needs["condition"] == "service_healthy":
                assert "healthcheck" in other_one
            else:
                assert other_one["restart"] == "on-failure", f"{name} waits for the end of {other}"
        for mount in one.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"


def test_images_are_pinned_and_ours_have_no_rights() -> None:
    for name, one in CONTAINERS.items():
        assert IS_OURS[name] or re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", one["image"]), name
        digest = one["image"].rpartition(":")[2]
        assert IS_OURS[name] or digest in (DEPLOY / "image" / "README.md").read_text(), "say where it is from"
        if IS_OURS[name]:
            assert one["read_only"], name
            assert (one["cap_drop"], one["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
        # Only this machine may reach what has no authentication, or one password.
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))
