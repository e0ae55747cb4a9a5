# SPDX-License-Identifier: Apache-2.0
import pytest

from purser_client.channel import target_of


@pytest.mark.parametrize(
    ("addresses", "target"),
    [
        ("ledger:7003", "ledger:7003"),
        (["ledger:7003"], "ledger:7003"),
        ("dns:///ledger.mesh:7003", "dns:///ledger.mesh:7003"),
        ("unix:/run/ledger.sock", "unix:/run/ledger.sock"),
        (("10.0.0.1:7003", "10.0.0.2:7004"), "ipv4:10.0.0.1:7003,10.0.0.2:7004"),
        (["[::1]:7003", "[fd00::2]:7003"], "ipv6:[::1]:7003,[fd00::2]:7003"),
    ],
)
def test_one_name_or_several_addresses_make_a_target(addresses: str | list[str], target: str) -> None:
    assert target_of(addresses) == target


@pytest.mark.parametrize(
    ("addresses", "says"),
    [
        ([], "no address"),
        ("ledger", "has no port"),
        (["10.0.0.1:7003", "10.0.0.2"], "'10.0.0.2' has no port"),
        (["ledger-1:7003", "ledger-2:7003"], "by one name that resolves to all of them"),
        (["10.0.0.1:7003", "[::1]:7003"], "not both"),
    ],
)
def test_addresses_that_cannot_be_balanced_over_are_refused(addresses: str | list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        target_of(addresses)
