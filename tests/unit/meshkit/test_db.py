# SPDX-License-Identifier: Apache-2.0
import pytest

from meshkit.database_url import DatabaseUrlUnusable
from meshkit.db import open_engine


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not an address",
        "mysql://user:sesame@db/purser",
        "postgresql://user:sesame@db:port/purser",
    ],
)
def test_a_url_that_is_not_for_postgresql_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(DatabaseUrlUnusable) as refusal:
        open_engine(url, application_name="test")

    assert "postgresql://user:password@host:port/database" in str(refusal.value)
    assert "sesame" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:sesame@db:5432/purser",
        "postgres://user@db/purser",
        "postgresql+asyncpg://user@db/purser",
    ],
)
async def test_an_address_opens_an_engine_that_does_not_connect_yet(url: str) -> None:
    engine = open_engine(url, application_name="test")

    assert engine.url.drivername == "postgresql+asyncpg"
    await engine.dispose()
