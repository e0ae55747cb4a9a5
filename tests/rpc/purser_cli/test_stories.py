# SPDX-License-Identifier: Apache-2.0
"""`purser explain`, `tail`, `verify` and `link` say what the Ledger did, in figures."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_pb2 as ledger
from purser_cli.exits import DONE, NEGATIVE, REFUSED, WRONG
from tests.rpc.purser_cli.conftest import CommandMesh
from tests.support.command_line import CommandLine

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def captured(running: CommandMesh, units: int, used: int) -> str:
    acme = running.acme
    hold = await acme.authorize(units)
    await acme.stubs.gate.Capture(
        ledger.CaptureRequest(
            request_id=acme.request_id(), customer="acme", hold_id=hold.hold_id, quantity_micros=used * MICROS
        )
    )
    return hold.hold_id


async def test_explain_tells_price_grant_and_end_of_a_hold(running: CommandMesh, user: CommandLine) -> None:
    hold = await captured(running, 3, 2)

    told = await user.run("explain", hold)

    assert (told.status, told.err) == (DONE, "")
    for words in (
        "Acme Inc. (acme, cus_",
        "for AI Assistant (prd_",
        "(user_id=user_1234)",
        "ALLOWED at 2025-06-01, for 36 credits",
        "12 credits per unit by rate rat_",
        "(included, priority 1, until 2025-07-01): 36",
        "captured: 24 of 36 credits were spent; 12 came back",
        "capture of -24 at 2025-06-01, from grt_",
        "from 0 to 2 units in 2025-06-01 to 2025-07-01, which cost 24 credits",
    ):
        assert words in told.out
    assert (await user.run("explain", hold, "--customer", "acme")).out == told.out


async def test_explain_says_that_a_hold_is_open(running: CommandMesh, user: CommandLine) -> None:
    open_hold = (await running.acme.authorize(1)).hold_id

    assert (
        "still open: 12 credits are held until 2025-06-01T00:05:00Z"
        in (await user.run("explain", open_hold)).out
    )
    nobody = await user.run("explain", "hld_nobody")
    assert (nobody.status, nobody.err) == (REFUSED, "purser: no customer has a hold 'hld_nobody'\n")
    assert "HOLD_NOT_FOUND" in (await user.run("explain", "hld_nobody", "--customer", "acme")).err


async def test_tail_shows_what_happens_once(running: CommandMesh, user: CommandLine) -> None:
    pauses: list[float] = []
    hold = await captured(running, 1, 1)

    def interrupt(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 2:
            raise KeyboardInterrupt

    follower = CommandLine(home=user.home, variables=user.variables, before=user.before, pause=interrupt)
    told = await follower.run("tail", "--last", "500")

    assert told.status == 130
    lines = told.out.splitlines()
    assert [line.split()[2] for line in lines if hold in line] == ["captured"]
    assert any(line.split()[2:4] == ["grant", "400"] for line in lines)
    assert pauses == [1.0, 1.0, 1.0]
    assert (await user.run("tail", "--last", "0", "--no-follow")).out == ""


async def test_verify_answers_with_its_status(running: CommandMesh, user: CommandLine) -> None:
    agreed = await user.run("verify", "--customer", "acme")

    assert agreed.status == DONE
    assert agreed.out.startswith("all sums agree: 1 pools, ")
    assert (await user.run("verify", "--customer", "nobody")).status == REFUSED


async def test_verify_fails_on_a_sum_that_differs(running: CommandMesh, user: CommandLine) -> None:
    await running.execute("UPDATE ledger.pools SET shortfall_micros = shortfall_micros + 1500000")
    try:
        differs = await user.run("verify")
    finally:
        await running.execute("UPDATE ledger.pools SET shortfall_micros = shortfall_micros - 1500000")

    assert differs.status == NEGATIVE
    assert "shortfall_micros" in differs.out
    assert "1 amounts differ" in differs.err
    assert (await user.run("verify")).status == DONE


async def test_a_link_has_a_token_of_one_customer(running: CommandMesh, user: CommandLine) -> None:
    assert running.mesh.access is not None
    folder = str(running.mesh.access.identity.files.folder)

    made = await user.run(
        "link", "acme", "--key-folder", folder, "--locale", "de", "--portal", "https://pay.example/"
    )

    address = urlsplit(made.out.strip())
    assert (address.netloc, address.path) == ("pay.example", "/enter")
    said = jwt.decode(parse_qs(address.query)["token"][0], options={"verify_signature": False})
    assert (said["roles"], said["locale"]) == (["customer"], "de")
    assert said["customer"] == running.acme.contract.customer_id
    operator = await user.run("link", "--operator", "--key-folder", folder)
    assert operator.out.startswith("http://127.0.0.1:7005/enter?token=")
    assert (await user.run("link", "--key-folder", folder)).status == WRONG
    assert (
        "no signing-key.pem" in (await user.run("link", "acme", "--key-folder", str(Path(folder) / "x"))).err
    )
