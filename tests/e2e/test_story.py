# SPDX-License-Identifier: Apache-2.0
"""The SeatsCo story on four processes: it succeeds, it detects a wrong figure, and its exit code says which."""

import re
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local import database, seatsco, story
from deploy.local.ports import HOST, free_port
from deploy.local.stripe import running_stripe
from purser.alert.v1 import alert_pb2 as alert
from tests.e2e.conftest import Run
from tests.support.mesh import SwitchedMesh, process_mesh, secured
from tests.support.postgres import Databases

CHAPTERS = [
    "1. SeatsCo defines what it sells",
    "2. …and for how much",
    "3. Acme signs four seats for a year, from 1 June 2025",
    "4. A fifth seat on 3 July, gone again on 10 July",
    "5. Credits run low: warned twice, then cut off",
    "6. Acme buys 1,000 credits for $80; they are granted once paid",
    "7. Acme's balance: included and top-up credits",
    "8. user_1234 may spend 1,000 credits a month, and no more",
    "9. Two seats for a week, then the month turns",
    "10. A nightly batch job reports its usage in the morning",
    "11. July's usage, as Acme's statement shows it",
]
# The lines that the story must show at least; ✓ means that the service's answer was the expected one.
FIGURES = [
    ("first invoice, USD", "400.00"),
    ("July pool, credits", "493.548387"),
    ("proration line, USD", "91.23"),
    ("webhook at 10 or fewer", "alert.in_alarm, value 8.548387, signature verified"),
    ("webhook at 0", "alert.in_alarm, value 0, signature verified"),
    ("the next AI call, anybody's", "DENIED INSUFFICIENT_CREDITS"),
    ("affordable, credits", "0"),
    ("credits while unpaid", "0"),
    ("Acme's saved card", "card_declined"),
    ("another card, in the browser", "TOP_UP_STATUS_PAID"),
    ("paid: the gate", "ALLOWED"),
    ("included, July", "0"),
    ("top-up", "1,000"),
    ("user_1234's next call", "DENIED SPEND_CAP_REACHED"),
    ("user_5678's call", "ALLOWED"),
    ("August's included credits", "400"),
    ("July's unused credits, expired", "38.709677"),
    ("top-up, untouched by the month", "481.548387"),
    ("charged for the night, credits", "250.5"),
    ("two days late", "ACCEPTED, 10.5 credits"),
    ("a kind of token without a price", "REJECTED RATE_NOT_FOUND"),
    ("sent a second time", "ACCEPTED, 120 credits, a duplicate"),
    ("August's included credits left", "144.5"),
    ("voided: credits that come back", "120"),
    ("included credits, after the void", "264.5"),
    ("AI Research by user_1234", "120"),
    ("AI Research by user_5678", "10.5"),
    ("AI Research on atlas", "120"),
    ("AI Research on mini", "10.5"),
    ("VerifyLedger: every figure adds up", "True"),
    ("July's usage paid by the top-up", "518.451613"),
]
# The demo of a vendor that sells AI Preview for one credit more than the story expects.
DEARER = """
from deploy.local import seatsco
seatsco.CREDITS_PER_UNIT[seatsco.PREVIEW] += 1
from deploy.local.__main__ import app
app(["demo"])
"""


async def test_the_story_succeeds_on_four_processes(databases: Databases, tmp_path: Path) -> None:
    said = StringIO()

    access = secured(tmp_path / "access")
    async with (
        running_stripe() as stripe,
        process_mesh(
            databases, tmp_path, access=access, payments=stripe.settings(f"{HOST}:{free_port()}")
        ) as mesh,
    ):
        is_as_promised = await story.play(
            mesh.addresses, access.identity, stripe=stripe, console=Console(file=said, width=120)
        )

    assert is_as_promised, said.getvalue()
    assert re.search(r"All \d+ figures are as promised\.", said.getvalue())


async def test_a_mesh_that_sends_one_webhook_too_many_is_detected(databases: Databases) -> None:
    said = StringIO()

    async with (
        running_stripe() as stripe,
        SwitchedMesh(databases, payments=stripe.settings(f"{HOST}:{free_port()}")) as mesh,
    ):
        await mesh.start()
        async with seatsco.open_stubs(mesh.addresses) as stubs:
            offer = await seatsco.define_products(stubs)
            await stubs.alert.CreateAlert(
                alert.CreateAlertRequest(
                    request_id="not-in-the-story",
                    name="anybody at 10 credits or fewer",
                    alert_type=alert.ALERT_TYPE_LOW_BALANCE,
                    credit_type_id=offer.ai_credits,
                    threshold_micros=10_000_000,
                )
            )
        is_as_promised = await story.play(
            mesh.addresses, stripe=stripe, console=Console(file=said, width=120)
        )

    assert not is_as_promised
    assert "webhook at 0: alert.in_alarm, value 8.548387, signature verified, promised" in said.getvalue()


def test_the_demo_exits_with_0(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stderr == ""


def test_the_demo_has_the_ten_chapters_in_order(demo: subprocess.CompletedProcess[str]) -> None:
    told = [line for line in demo.stdout.splitlines() if re.match(r"\d+\. ", line)]

    assert [line.partition("  ")[0] for line in told] == CHAPTERS


@pytest.mark.parametrize(("label", "figure"), FIGURES)
def test_the_demo_shows_the_figure(demo: subprocess.CompletedProcess[str], label: str, figure: str) -> None:
    assert re.search(rf"^ +{re.escape(label)} +{re.escape(figure)} ✓$", demo.stdout, re.MULTILINE)


def test_a_demo_with_a_wrong_figure_exits_with_1_and_keeps_what_the_services_said(run: Run) -> None:
    ended = run("-c", DEARER)

    assert ended.returncode == 1
    assert re.search(r"\d of \d+ figures differ:", ended.stdout)
    assert "webhook at 10 or fewer: alert.in_alarm, value 7.548387" in ended.stdout
    kept = Path(ended.stderr.partition("is kept in ")[2].strip())
    assert sorted(log.name for log in kept.iterdir()) == [f"{name}.log" for name in sorted(database.SERVICES)]
    for log in kept.iterdir():
        log.unlink()
    kept.rmdir()
    kept.parent.rmdir()
