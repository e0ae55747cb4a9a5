# SPDX-License-Identifier: Apache-2.0
"""Which URLs can be posted to, and which addresses are refused."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from structlog.testing import capture_logs

from services.alert.domain.errors import WebhookTargetRefused
from services.alert.domain.target import Target, problem_with, refusal_of, target_of
from services.alert.webhooks.targets import CheckedTargets
from services.alert.webhooks.transport import ADDRESSES_MAX, PinnedTransport

PUBLIC, OTHER_PUBLIC = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


class Names:
    """A resolver without sockets. answers: per host one answer per question, the last one for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {host.replace("_", "."): given for host, given in answers.items()}
        self.asked: list[tuple[str, int]] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        given = self._answers.get(host, [[]])
        return given.pop(0) if len(given) > 1 else given[0]


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://hooks.seatsco.example/purser", "hooks.seatsco.example", 443),
        ("http://hooks.seatsco.example", "hooks.seatsco.example", 80),
        ("HTTPS://Hooks.SeatsCo.example:8443/a?b=c&d=%20", "hooks.seatsco.example", 8443),
        ("http://localhost:9000/", "localhost", 9000),
        ("http://10.0.0.1/", "10.0.0.1", 80),
        ("http://[2606:2800::1]:81/", "2606:2800::1", 81),
        ("https://xn--zo-yja.example/", "xn--zo-yja.example", 443),
        ("https://under_score.example/", "under_score.example", 443),
        ("http://2130706433/", "2130706433", 80),  # a name as far as its form goes; it resolves to 127.0.0.1
    ],
)
def test_a_good_url_leads_to_the_host_that_httpx_will_ask_for(url: str, host: str, port: int) -> None:
    assert target_of(url) == Target(host, port)
    assert httpx.URL(url).raw_host.decode() == host


@pytest.mark.parametrize(
    "url",
    [
        "hooks.seatsco.example",
        "//hooks.seatsco.example/",
        "ftp://hooks.seatsco.example/",
        "file:///etc/passwd",
        "gopher://hooks.seatsco.example/",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https:hooks.seatsco.example",
        "https://user@hooks.seatsco.example/",
        "https://user:password@hooks.seatsco.example/",
        "https://@hooks.seatsco.example/",
        "https://hooks.seatsco.example:0/",
        "https://hooks.seatsco.example:65536/",
        "https://hooks.seatsco.example:http/",
        "https://hooks.seatsco.example:-1/",
        "https://hooks..example/",
        "https://hooks.example./",
        "https://-hooks.example/",
        "https://hooks%2eexample/",
        "https://" + "a" * 64 + ".example/",
        "https://" + ".".join(["a" * 60] * 5) + "/",
        "https://0127.0.0.1/",
        "https://300.1.1.1/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://[v1.x]/",
        "https://zoë.example/",
        "https://hooks.example/zoë",
        "https://hooks.example/a b",
        "https://hooks.example/\nx",
        "https://hooks.example\\@127.0.0.1/",
        " https://hooks.example/",
        "https://a,b.example/",
    ],
)
def test_a_url_that_cannot_be_posted_to_or_is_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        target_of(url)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.255.255.255", "unspecified"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("100.64.0.0", "private"),
        ("100.100.100.200", "private"),  # instance metadata at one provider
        ("100.127.255.255", "private"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("169.254.169.254", "link-local"),  # instance metadata at most others
        ("172.16.0.0", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.170", "reserved"),
        ("192.0.2.1", "reserved"),
        ("192.88.99.1", "reserved"),
        ("192.168.0.1", "private"),
        ("198.18.0.1", "reserved"),
        ("198.19.255.255", "reserved"),
        ("198.51.100.1", "reserved"),
        ("203.0.113.1", "reserved"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "reserved"),
        ("::ffff:127.0.0.1", "IPv4-mapped"),
        ("::ffff:93.184.215.14", "IPv4-mapped"),
        ("64:ff9b::a00:1", "NAT64"),
        ("64:ff9b:1::a00:1", "NAT64"),
        ("100::1", "reserved"),
        ("2001::1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2002:7f00:1::", "6to4"),
        ("3fff::1", "reserved"),
        ("4000::1", "reserved"),
        ("5f00::1", "reserved"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("nonsense", "not an IP address"),
        ("127.1", "not an IP address"),
        ("", "not an IP address"),
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str, problem: str) -> None:
    assert problem in (problem_with(address) or "")


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC,
        OTHER_PUBLIC,
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2a00::1",
    ],
)
def test_the_neighbours_of_refused_addresses_are_public(address: str) -> None:
    assert problem_with(address) is None


def test_one_refused_address_among_public_ones_refuses_the_host() -> None:
    refusal = refusal_of("hooks.example", [PUBLIC, "10.1.2.3"])

    assert refusal is not None
    assert refusal.metadata == {
        "host": "hooks.example",
        "address": "",
        "problem": "has an address that is not public",
    }
    assert "10.1.2.3" not in refusal.message
    assert (refusal.address, refusal.problem) == ("10.1.2.3", "is private")
    assert refusal_of("hooks.example", [PUBLIC, OTHER_PUBLIC]) is None


def test_a_host_on_no_address_is_refused() -> None:
    refusal = refusal_of("hooks.example", [])

    assert refusal is not None
    assert refusal.metadata["address"] == ""


async def test_where_private_targets_are_allowed_only_a_name_without_address_is_refused() -> None:
    targets = CheckedTargets(Names(inside_example=[["10.0.0.1"]]), allow_private=True)

    assert await targets.refusal("http://nowhere.example/") is None
    assert await targets.addresses("inside.example", 80) == ["10.0.0.1"]
    with pytest.raises(WebhookTargetRefused, match="does not resolve"):
        await targets.addresses("nowhere.example", 80)


async def test_the_address_of_a_refused_name_is_logged_and_not_told() -> None:
    targets = CheckedTargets(Names(inside_example=[[PUBLIC, "::1"]]), allow_private=False)

    with capture_logs() as logs:
        refusal = await targets.refusal("https://inside.example:8443/x")

    assert refusal is not None
    assert refusal.metadata["address"] == ""
    assert [(entry["event"], entry["address"], entry["problem"]) for entry in logs] == [
        ("webhook_target_refused", "::1", "is loopback")
    ]


class Wire:
    """The innermost transport: answers 204 for addresses that are up."""

    def __init__(self, *down: str) -> None:
        self._down = down
        self.requests: list[httpx.Request] = []

    def transport(self) -> httpx.MockTransport:
        async def take(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            if request.url.host in self._down:
                raise httpx.ConnectError("refused")
            return httpx.Response(204)

        return httpx.MockTransport(take)


def a_client(names: Names, wire: Wire) -> httpx.AsyncClient:
    targets = CheckedTargets(names, allow_private=False)
    return httpx.AsyncClient(transport=PinnedTransport(targets, wire.transport()))


async def test_the_connection_goes_to_the_checked_address_under_the_name_of_the_url() -> None:
    names, wire = Names(hooks_example=[[PUBLIC]]), Wire()

    async with a_client(names, wire) as client:
        await client.post("https://hooks.example:8443/purser?a=b", content=b"{}")

    (sent,) = wire.requests
    assert str(sent.url) == f"https://{PUBLIC}:8443/purser?a=b"
    assert sent.headers["host"] == "hooks.example:8443"
    assert sent.extensions["sni_hostname"] == "hooks.example"
    assert sent.content == b"{}"
    assert names.asked == [("hooks.example", 8443)]


async def test_a_name_that_moves_to_a_private_address_is_refused_at_the_next_posting() -> None:
    names, wire = Names(hooks_example=[[PUBLIC], ["127.0.0.1"]]), Wire()

    async with a_client(names, wire) as client:
        await client.post("https://hooks.example/")
        with pytest.raises(WebhookTargetRefused, match="has an address that is not public"):
            await client.post("https://hooks.example/")

    assert [request.url.host for request in wire.requests] == [PUBLIC]


async def test_an_address_written_in_the_url_is_checked_like_any_other() -> None:
    literal = "169.254.169.254"
    targets = CheckedTargets(Names(), allow_private=False)

    with pytest.raises(WebhookTargetRefused, match="is link-local"):
        await targets.addresses(literal, 80)


async def test_the_next_address_is_tried_when_one_does_not_connect() -> None:
    names, wire = Names(hooks_example=[[OTHER_PUBLIC, PUBLIC]]), Wire(OTHER_PUBLIC)

    async with a_client(names, wire) as client:
        response = await client.post("https://hooks.example/", content=b"{}")

    assert response.status_code == 204
    assert [request.url.host for request in wire.requests] == [OTHER_PUBLIC, PUBLIC]
    assert wire.requests[-1].content == b"{}"


async def test_no_more_than_a_few_addresses_are_tried() -> None:
    many = [f"93.184.215.{n}" for n in range(1, 20)]
    names, wire = Names(hooks_example=[many]), Wire(*many)

    async with a_client(names, wire) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post("https://hooks.example/")

    assert len(wire.requests) == ADDRESSES_MAX


async def test_a_name_server_that_hangs_is_a_host_without_address() -> None:
    class Hanging:
        async def resolve(self, host: str, port: int) -> Sequence[str]:
            await asyncio.Event().wait()
            raise AssertionError

    targets = CheckedTargets(Hanging(), allow_private=False, resolve_seconds_max=0.01)

    with pytest.raises(WebhookTargetRefused, match="does not resolve"):
        await targets.addresses("hooks.example", 443)
