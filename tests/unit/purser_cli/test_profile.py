# SPDX-License-Identifier: Apache-2.0
"""Profiles: stored for their owner only, completed by environment and options, and refused when they are wrong."""

from pathlib import Path

import pytest

from purser_cli.session import profile as profiles
from purser_cli.session.profile import Profile, ProfileWrong


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "purser" / "config.toml"


def test_a_stored_profile_is_read_again_and_belongs_to_its_owner(path: Path) -> None:
    one = Profile(host="billing.example.com", addresses={"ledger": "l:443"}, token='a"b\\c', is_insecure=True)

    profiles.store(path, "staging", one)
    profiles.store(path, "default", Profile(token_file="/t"))

    assert profiles.read(path, "staging") == one
    assert profiles.read(path, "default") == Profile(token_file="/t")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_profile_that_does_not_exist_names_those_that_do(path: Path) -> None:
    assert profiles.read(path, "default") == Profile()
    profiles.store(path, "staging", Profile(host="h"))

    with pytest.raises(ProfileWrong, match=r"no profile 'stagign' \(known: staging\)"):
        profiles.read(path, "stagign")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("host = 1", "belongs below a heading"),
        ("[default]\nhots = 'x'", "'hots' is not one of host"),
        ("[default]\nhost = 1", "host has the wrong type"),
        ("[default", "cannot be read"),
        ("[default]\naddresses = { legder = 'x:1' }", "names no service legder"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_mistake(path: Path, text: str, wrong: str) -> None:
    path.parent.mkdir()
    path.write_text(text)

    with pytest.raises(ProfileWrong, match=wrong):
        profiles.read(path, "default")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "127.0.0.1:7003"),
        ("billing.example.com", "billing.example.com:7003"),
        ("billing.example.com:8001", "billing.example.com:8003"),
        ("[::1]", "[::1]:7003"),
        ("[::1]:8001", "[::1]:8003"),
    ],
)
def test_a_host_has_the_services_on_four_ports(host: str, address: str) -> None:
    assert Profile(host=host).address("ledger") == address


def test_a_host_with_a_wrong_port_is_refused() -> None:
    with pytest.raises(ProfileWrong, match="NAME:FIRST_PORT"):
        Profile(host="billing:https").address("ledger")


def test_what_is_said_first_counts() -> None:
    stored = Profile(host="stored", addresses={"alert": "a:1"}, ca_file="ca", token="stored")

    over = Profile(host="said", token_file="/said").over(stored)

    assert over == Profile(host="said", ca_file="ca", token_file="/said")
    assert Profile(addresses={"ledger": "l:1"}).over(stored).addresses == {"alert": "a:1", "ledger": "l:1"}


@pytest.mark.parametrize("text", ["ledger", "ledger=l", "legder=l:1", "=l:1"])
def test_an_address_names_a_service_host_and_port(text: str) -> None:
    with pytest.raises(ProfileWrong, match="SERVICE=HOST:PORT"):
        profiles.addresses_of([text])


def test_logout_forgets_the_token_only(path: Path) -> None:
    profiles.store(path, "default", Profile(host="h", token="secret"))

    assert profiles.remove_token(path, "default")
    assert profiles.read(path, "default") == Profile(host="h")
    assert not profiles.remove_token(path, "default")
    assert "secret" not in path.read_text()
