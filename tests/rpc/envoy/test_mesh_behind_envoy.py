# SPDX-License-Identifier: Apache-2.0
"""The mesh behind a real Envoy: JSON for every rpc, errors, streams, gRPC-web, gRPC, one Ledger per customer."""

import asyncio
import json
import re
import ssl
import struct
from collections import Counter
from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from deploy.envoy.descriptors import SHARED_PACKAGES, caller_services
from deploy.local.database import SOURCE_ROOT
from deploy.local.proxy import lines_to_paste
from deploy.local.seatsco import ASSISTANT
from deploy.local.seed import Seeded
from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from tests.support.envoy import ORIGIN, Front
from tests.support.mesh import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATE = "/purser.ledger.v1.LedgerService"
UNRESOLVED = "Could not resolve"
RPCS = [method for service in caller_services() for method in service.methods]


def _reason(error: dict[str, Any]) -> str:
    [info] = [one for one in error["details"] if one["@type"].endswith("ErrorInfo")]
    return str(info["reason"])


async def test_a_json_caller_asks_uses_and_reads_what_is_left(front: Front) -> None:
    ask = {
        "request_id": "json-ask",
        "product_id": front.acme.offer.usage[ASSISTANT],
        "quantity_micros": 2 * MICROS,
    }

    asked = await front.call("/v1/customers/acme:authorize", ask)
    again = await front.call("/v1/customers/acme:authorize", ask)
    by_name = await front.call(f"{GATE}/Authorize", {**ask, "customer": "acme"})
    hold = asked.json().get("hold_id")
    used = await front.call(
        f"/v1/customers/acme/holds/{hold}:capture", {"request_id": "json-use", "quantity_micros": str(MICROS)}
    )
    left = await front.call("/v1/customers/acme/balance", method="GET")

    assert (asked.status_code, asked.json()["decision"]) == (200, "DECISION_ALLOWED"), asked.text
    assert asked.json()["held_micros"] == str(24 * MICROS)
    assert asked.json() == again.json() == by_name.json()
    assert used.json()["captured_micros"] == str(12 * MICROS)
    assert left.json()["pools"][0]["available_micros"] == str(388 * MICROS)


async def test_the_curl_lines_of_the_readme_work(front: Front) -> None:
    readme = (SOURCE_ROOT / "README.md").read_text()
    lines = re.findall(r"^(?:\$ )?(curl .*)$", readme, flags=re.MULTILINE)
    ask, balance, debit = [line for line in lines if ":7007/" in line]
    [shown] = re.findall(r"^\$ curl .*\n(\{\n(?:.*\n)*?\})$", readme, flags=re.MULTILINE)

    allowed = await front.paste(ask.replace("127.0.0.1:7007", front.envoy.address))
    left = await front.paste(balance.replace("127.0.0.1:7007", front.envoy.address))
    refused = await front.paste(debit.replace("127.0.0.1:7007", front.envoy.address))

    assert allowed.json()["decision"] == "DECISION_ALLOWED"
    assert left.json()["pools"]
    assert (refused.status_code, refused.json()) == (400, json.loads(shown))


async def test_the_lines_that_make_edge_prints_work(front: Front) -> None:
    seeded = Seeded(offer=front.acme.offer, customer_id="")

    printed = lines_to_paste(front.envoy, front.identity, seeded)
    answers = [await front.paste(line) for line in printed if line.startswith("curl")]

    assert [answer.status_code for answer in answers] == [200, 200, 400, 200, 200]


async def _said(front: Front, method: MethodDescriptor, verb: str, path: str) -> str:
    """Return the message of the error; empty: it was answered."""
    shared = method.containing_service.file.package in SHARED_PACKAGES
    headers = {"x_purser_service": "catalog"} if shared else {}
    body: object = [] if method.client_streaming else {}
    answer = await front.call(path, body, method=verb, token="vendor", **headers)
    return "" if answer.status_code == 200 else str(answer.json()["message"])


async def test_every_rpc_answers_at_its_path(front: Front) -> None:
    unresolved = []
    for method in RPCS:
        option = method.GetOptions().Extensions[annotations_pb2.http]
        verb = option.WhichOneof("pattern")
        path = re.sub(r"\{[a-z_]+\}", "7", getattr(option, verb))
        if not method.server_streaming and UNRESOLVED in await _said(front, method, verb.upper(), path):
            unresolved.append(path)

    assert unresolved == []
    assert UNRESOLVED in await _said(front, RPCS[0], "POST", f"{GATE}/Nothing")
    assert UNRESOLVED in await _said(front, RPCS[0], "DELETE", "/v1/customers/acme/balance")


async def test_events_stream_as_lines_of_json(front: Front) -> None:
    token = {"authorization": f"Bearer {front.token('vendor')}"}

    async with front.http.stream("GET", "/v1/events:watch?event_types=top_up.paid", headers=token) as events:
        lines = events.aiter_lines()
        first = json.loads(await anext(lines))
        await front.acme.buy()
        second = json.loads(await anext(lines))

    assert first.keys() == {"cursor"}
    assert second["event"]["event_type"] == "top_up.paid"


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "reason"),
    [
        (f"{GATE}/Authorize", {"customer": "acme"}, 400, 3, "INVALID_FIELDS"),
        (f"{GATE}/GetBalance", {"customer": "nobody"}, 404, 5, "CUSTOMER_NOT_FOUND"),
        ("/v1/customers", {}, 403, 7, "ACCESS_DENIED"),
    ],
)
async def test_an_error_of_a_service_is_json_with_its_reason(
    front: Front, path: str, body: object, status: int, code: int, reason: str
) -> None:
    answer = await front.call(path, body)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert _reason(answer.json()) == reason


@pytest.mark.parametrize(
    ("path", "content", "status", "code", "said"),
    [
        (f"{GATE}/GetBalance", b'{"customer":', 400, 3, "Unexpected end of string"),
        (f"{GATE}/GetBalance?misspelt=1", b"{}", 400, 3, "misspelt"),
        ("/v1/nothing", b"{}", 404, 5, UNRESOLVED),
        ("/purser.ledger.v1.LedgerPeerService/GetOwed", b"{}", 404, 5, UNRESOLVED),
        ("/v1/status", b"", 400, 3, "x-purser-service: catalog, contract, ledger, alert"),
    ],
)
async def test_an_error_of_envoy_has_the_same_form(
    front: Front, path: str, content: bytes, status: int, code: int, said: str
) -> None:
    # With a token, so that the Ledger waits for the message: Envoy sends the head on before it has read the body.
    token = {"authorization": f"Bearer {front.token('gate')}"}
    answer = await front.http.request("POST" if content else "GET", path, content=content, headers=token)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    assert (answer.json()["code"], answer.json()["details"]) == (code, [])
    assert said in answer.json()["message"]


async def test_a_json_call_without_a_token_is_refused(front: Front) -> None:
    answer = await front.http.post("/v1/customers/acme:authorize", json={})

    assert (answer.status_code, _reason(answer.json())) == (401, "TOKEN_MISSING")


async def test_a_header_chooses_among_the_services_that_have_the_same_rpc(front: Front) -> None:
    await front.call("/v1/credit-types", {"request_id": "json-type", "name": "Audited"}, token="vendor")
    counts = {}
    for service in ("catalog", "alert"):
        path = "/v1/audit-events?rpc=/purser.catalog.v1.CatalogService/CreateCreditType"
        listed = await front.call(path, method="GET", token="vendor", x_purser_service=service)
        counts[service] = len(listed.json()["audit_events"])

    assert counts["catalog"] > counts["alert"] == 0


async def test_a_deadline_of_a_json_caller_ends_the_call(front: Front) -> None:
    late = await front.call("/v1/customers/acme/balance", method="GET", grpc_timeout="1n")
    in_time = await front.call("/v1/customers/acme/balance", method="GET", grpc_timeout="60S")

    assert (late.status_code, late.json()["code"]) == (504, 4), late.text
    assert in_time.status_code == 200


async def test_a_browser_calls_with_grpc_web(front: Front) -> None:
    message = pb.GetBalanceRequest(customer="acme").SerializeToString()
    headers = {
        "authorization": f"Bearer {front.token('gate')}",
        "content-type": "application/grpc-web+proto",
        "origin": ORIGIN,
    }

    answer = await front.http.post(
        f"{GATE}/GetBalance", content=struct.pack(">BI", 0, len(message)) + message, headers=headers
    )

    _, length = struct.unpack(">BI", answer.content[:5])
    balance = pb.GetBalanceResponse.FromString(answer.content[5 : 5 + length])
    assert balance.pools[0].available_micros > 0
    assert b"grpc-status:0" in answer.content[5 + length :]
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize(("origin", "allowed"), [(ORIGIN, ORIGIN), ("https://evil.example", None)])
async def test_only_named_origins_may_call_from_a_browser(
    front: Front, origin: str, allowed: str | None
) -> None:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-grpc-web",
    }

    answer = await front.http.options(f"{GATE}/GetBalance", headers=headers)

    assert answer.headers.get("access-control-allow-origin") == allowed


async def test_grpc_passes_through_with_its_errors(front: Front) -> None:
    async with front.channel() as channel:
        gate = LedgerServiceStub(channel)
        balance = await gate.GetBalance(pb.GetBalanceRequest(customer="acme"))
        with pytest.raises(Exception, match="'nobody' is not known here") as refused:
            await gate.GetBalance(pb.GetBalanceRequest(customer="nobody"))

    assert balance.pools
    assert refused.value.code().name == "NOT_FOUND"  # type: ignore[attr-defined]


async def _served(front: Front, paths: list[str], **headers: str) -> Counter[str]:
    """Return how many of these GETs each Ledger got."""
    before = await front.calls_by_ledger()
    for path in paths:
        await front.call(path, method="GET", **headers)
    after = await front.calls_by_ledger()
    return Counter({one: after[one] - before[one] for one in after if after[one] > before[one]})


async def test_each_customer_has_one_ledger_and_both_have_customers(front: Front) -> None:
    named = [f"/v1/customers/c{number}/balance" for number in range(40)]
    of_acme = await _served(front, ["/v1/customers/acme/balance"] * 20)
    by_header = await _served(front, ["/v1/rerate-jobs"] * 20, x_purser_customer="acme")
    both = await _served(front, named)
    without = await _served(front, ["/v1/rerate-jobs"] * 60)

    assert list(of_acme.values()) == [20]
    assert by_header == of_acme
    assert (len(both), both.total()) == (2, 40)
    assert (len(without), without.total()) == (2, 60)


async def test_no_call_fails_while_a_ledger_is_killed_and_returns(front: Front) -> None:
    statuses: Counter[int] = Counter()
    ids = iter(range(1_000_000))
    stopped = asyncio.Event()

    async def debit(customer: str) -> None:
        while not stopped.is_set():
            body = {
                "request_id": f"kill-{next(ids)}",
                "product_id": front.acme.offer.usage[ASSISTANT],
                "credits_micros": 1_000,
            }
            answer = await front.call("/v1/customers/acme:debit", body, x_purser_customer=customer)
            statuses[answer.status_code] += 1

    async def several(count: int) -> None:
        goal = statuses.total() + count
        await until(lambda: _value(statuses.total()), lambda total: total >= goal)

    callers = [asyncio.create_task(debit(f"c{number}")) for number in range(8)]
    await several(50)
    await front.second.kill()
    await several(100)
    await front.second.start()
    await front.until_served_by_second()
    stopped.set()
    await asyncio.gather(*callers)

    assert statuses == {200: statuses.total()}
    await front.acme.assert_adds_up()


async def _value(value: int) -> int:
    await asyncio.sleep(0.01)
    return value


async def test_a_renewed_certificate_is_shown_without_a_restart(front: Front) -> None:
    def shown() -> str:
        host, _, port = front.envoy.address.rpartition(":")
        return ssl.get_server_certificate((host, int(port)))

    before = shown()
    front.identity.issue("envoy")

    async def now() -> str:
        await asyncio.sleep(0.01)
        return await asyncio.to_thread(shown)

    assert await until(now, lambda certificate: certificate != before)
