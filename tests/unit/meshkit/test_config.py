# SPDX-License-Identifier: Apache-2.0
import pytest
from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from meshkit.config import MeshSettings, load


class PantrySettings(MeshSettings):
    model_config = SettingsConfigDict(env_prefix="PANTRY_")

    database_url: str = Field(description="postgresql://user:password@host:port/database")
    pool_size: int = Field(default=8, ge=1, description="connections")
    oven_address: str
    listen: str = "127.0.0.1:0"
    peer_listen: str = "127.0.0.1:0"
    fridge_address: str = "127.0.0.1:2"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANTRY_DATABASE_URL", "postgresql://host/db")
    monkeypatch.setenv("PANTRY_OVEN_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("PURSER_INSECURE", "true")

    settings = load(PantrySettings)

    assert (settings.database_url, settings.pool_size) == ("postgresql://host/db", 8)
    with pytest.raises(ValidationError, match="frozen"):
        settings.pool_size = 9  # type: ignore[misc]


def test_all_missing_and_bad_settings_are_reported_together_by_their_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PANTRY_POOL_SIZE", "0")

    with pytest.raises(SystemExit) as stopped:
        load(PantrySettings)

    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "PANTRY_DATABASE_URL: is not set (postgresql://user:password@host:port/database)",
        "PANTRY_CERTIFICATE_FILE: is not set (certificate of this service, PEM)",
        "PANTRY_KEY_FILE: is not set (its private key, PEM)",
        "PANTRY_CA_FILE: is not set (certificates of the authority of all services, PEM)",
        "PANTRY_JWKS: is not set (keys of bearer tokens: path or https URL of a JWKS)",
        "PANTRY_POOL_SIZE: Input should be greater than or equal to 1 (connections)",
        "PANTRY_OVEN_ADDRESS: is not set",
    ]


def test_each_peer_has_an_address_in_the_order_of_the_fields() -> None:
    settings = PantrySettings(insecure=True, database_url="postgresql://host/db", oven_address="127.0.0.1:1")

    assert list(settings.peer_addresses.items()) == [("oven", "127.0.0.1:1"), ("fridge", "127.0.0.1:2")]


def test_a_bad_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PANTRY_POOL_SIZE", "hunter2")

    with pytest.raises(SystemExit):
        load(PantrySettings)

    assert "hunter2" not in capsys.readouterr().err
