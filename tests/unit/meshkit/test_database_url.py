# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from meshkit.database_url import DatabaseUrl, DatabaseUrlUnusable, Host, role_of


def test_a_url_names_several_hosts_each_with_its_port() -> None:
    url = DatabaseUrl.parse("postgresql://ledger:secret@db1:5433,db2,[::1]:5434/purser")

    assert url.hosts == (
        Host(name="db1", port=5433),
        Host(name="db2", port=5432),
        Host(name="::1", port=5434),
    )


def test_of_several_hosts_the_one_that_takes_writes_is_used() -> None:
    several = DatabaseUrl.parse("postgresql://db1,db2/purser")
    single = DatabaseUrl.parse("postgresql://db1/purser")

    assert several.arguments(several.hosts[1])["target_session_attrs"] == "read-write"
    assert "target_session_attrs" not in single.arguments(single.hosts[0])


def test_the_urls_own_choice_of_host_is_kept() -> None:
    url = DatabaseUrl.parse("postgresql://db1,db2/purser?target_session_attrs=primary")

    arguments = url.arguments(url.hosts[0])

    assert "target_session_attrs" not in arguments
    assert arguments["dsn"] == "postgresql:///?target_session_attrs=primary"


@pytest.mark.parametrize(
    ("written", "password"), [("p%40ss", "p@ss"), ("a/b+c#d?e", "a/b+c#d?e"), ("", ""), ("a:b", "a:b")]
)
def test_a_password_is_taken_encoded_or_as_it_is(written: str, password: str) -> None:
    url = DatabaseUrl.parse(f"postgresql://ledger:{written}@db/purser")

    assert url.arguments(url.hosts[0])["password"] == password
    assert url.user == "ledger"
    assert password == "" or password not in repr(url)


def test_the_password_file_is_read_at_each_connection_and_goes_before_the_url(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    url = DatabaseUrl.parse("postgresql://ledger:none@db/purser", password_file=str(file))

    password = url.arguments(url.hosts[0])["password"]

    assert password() == "first"
    file.write_text("second")
    assert password() == "second"


def test_a_url_without_a_host_leaves_the_choice_to_its_options() -> None:
    url = DatabaseUrl.parse("postgresql:///purser?host=/run/postgresql")

    assert "host" not in url.arguments(url.hosts[0])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db:port/purser",
        "postgresql://db1,,db2/purser",
        "postgresql://db1:5432:5433/purser",
        "postgresql://db/purser?no value",
        "mysql://db/purser",
        "db/purser",
    ],
)
def test_what_is_no_url_of_postgresql_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlUnusable):
        role_of(url)
