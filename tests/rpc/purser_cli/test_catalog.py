# SPDX-License-Identifier: Apache-2.0
"""`purser catalog`: a file makes a Catalog once, says what differs, and refuses what cannot be changed in place."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from purser_cli.exits import DONE, NEGATIVE, REFUSED, RETRY, WRONG
from tests.support.catalog import NOBODY, RunningCatalog, running_catalog
from tests.support.command_line import CommandLine, Ended
from tests.support.cutting_proxy import CuttingProxy
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]

FILE = """
credit_types:
- name: AI credits
metrics:
- name: Units
  event_type: ai.call
  aggregation: sum
  aggregated_property: units
  group_keys: [user_id]
  filters:
  - {property: region, not_in_values: [test]}
- name: Calls
  event_type: ai.call
  aggregation: count
products:
- name: Assistant
  product_type: usage
  metric: Units
- name: Tokens
  product_type: usage
  metric: Units
  conversion: {priced: 1, per: 1000, rounding: half-up}
  pricing_dimensions:
  - key: model
    values: [large, small]
  - key: length
    property: prompt_tokens
    bands:
    - {value: short, up_to: 200000}
    - {value: long}
- name: Team Plan
  product_type: subscription
- name: Top-up
  product_type: fixed
rate_cards:
- name: List prices
  currency: USD
  conversions:
  - credit_type: AI credits
    fiat_per_credit: 0.1
  rates:
  - product: Assistant
    credit_type: AI credits
    price: 12
    effective_time: 2025-06-01
  - product: Tokens
    credit_type: AI credits
    rate_type: graduated
    effective_time: 2025-06-01
    tiers:
    - {up_to: 1000, price: 1}
    - {price: 0.000001}
    dimension_values: {model: large}
  - product: Team Plan
    billing_frequency: annual
    credit_type: USD
    price: 100
    effective_time: 2025-06-01
packs:
- name: 1,000 AI credits
  product: Top-up
  credit_type: AI credits
  amount: 1000
  price: 80 USD
  lifetime: 365d
"""
CHEAPER = """
  - product: Assistant
    credit_type: AI credits
    price: 10
    effective_time: 2025-07-01
packs:"""


class Editor:
    """The owner of a file, who changes it and runs commands on it."""

    def __init__(self, user: CommandLine, path: Path) -> None:
        self.user = user
        self.path = path

    async def run(self, verb: str, text: str = FILE) -> Ended:
        self.path.write_text(text)
        return await self.user.run("catalog", verb, str(self.path))


@pytest.fixture
async def running(databases: Databases) -> AsyncIterator[RunningCatalog]:
    async with running_catalog(databases) as catalog:
        yield catalog


@pytest.fixture
def editor(running: RunningCatalog, tmp_path: Path) -> Editor:
    before = ("--insecure", "--address", f"catalog={running.address}")
    return Editor(CommandLine(home=tmp_path, before=before, clock=running.clock), tmp_path / "catalog.yaml")


async def test_a_file_makes_the_catalog_and_applied_again_changes_nothing(editor: Editor) -> None:
    planned = await editor.run("plan")
    applied = await editor.run("apply")
    again = await editor.run("apply")

    assert (planned.status, applied.status, again.status) == (DONE, DONE, DONE)
    assert planned.out.splitlines()[:-1] == applied.out.splitlines()[:-1]
    assert applied.out.splitlines()[-1] == "10 steps done, 0 as the file says"
    assert again.out == "nothing to do: 12 as the file says\n"
    rates = (await editor.user.run("rate", "list", "--rate-card-id", await card_of(editor), "--json")).answer
    assert sorted(one.get("priceMicros", "tiers") for one in rates["rates"]) == [
        "100000000",
        "12000000",
        "tiers",
    ]


async def test_an_exported_catalog_is_as_its_file_says(editor: Editor) -> None:
    await editor.run("apply")

    exported = await editor.user.run("catalog", "export")

    assert exported.status == DONE
    assert (await editor.run("diff", exported.out)).out == "nothing to do: 12 as the file says\n"
    assert "- price: 0.000001\n" in exported.out
    stored = editor.path.with_name("stored.yaml")
    assert (await editor.user.run("catalog", "export", "--out", str(stored))).status == DONE
    assert stored.read_text() == exported.out


async def test_a_new_price_ends_the_one_before_it(editor: Editor) -> None:
    await editor.run("apply")
    cheaper = FILE.replace("\npacks:", CHEAPER)

    differs = await editor.run("diff", cheaper)
    applied = await editor.run("apply", cheaper)

    assert (differs.status, applied.status) == (NEGATIVE, DONE)
    assert "price: 10, effective_time: 2025-07-01" in differs.out
    assert applied.out.startswith("+ 1 rate of rate card 'List prices'\n1 step done, 12 as")
    assert (await editor.run("diff", cheaper)).status == DONE
    assert (await editor.run("diff", (await editor.user.run("catalog", "export")).out)).status == DONE
    listed = (await editor.user.run("rate", "list", await card_of(editor), "--json")).answer["rates"]
    assert [one.get("endTime") for one in listed if one.get("priceMicros") == "12000000"] == [
        "2025-07-01T00:00:00Z"
    ]


async def test_a_planned_price_is_replaced_and_one_in_force_is_not(
    editor: Editor, running: RunningCatalog
) -> None:
    cheaper = FILE.replace("\npacks:", CHEAPER)
    await editor.run("apply", cheaper)

    replaced = await editor.run("apply", cheaper.replace("price: 10\n", "price: 9\n"))
    running.clock.advance(timedelta(days=40))
    refused = await editor.run("apply", cheaper.replace("price: 10\n", "price: 8\n"))

    assert (replaced.status, replaced.out.splitlines()[-1]) == (
        DONE,
        "1 step done, 12 as the file says",
    )
    assert refused.status == WRONG
    assert "cannot be applied; nothing was changed" in refused.err
    assert "the rate has begun and cannot be changed in place (price: 9 → 8)" in refused.err
    assert "purser rate correct rat_" in refused.err


async def test_a_price_may_end(editor: Editor) -> None:
    await editor.run("apply")
    ending = FILE.replace("    price: 12\n", "    price: 12\n    end_time: 2026-01-01\n")

    assert "ends 2026-01-01" in (await editor.run("apply", ending)).out
    assert (await editor.run("diff", ending)).status == DONE
    assert "end_time: 2026-01-01 → nothing" in (await editor.run("plan")).err


async def test_a_product_is_renamed_and_archived_but_never_changed(editor: Editor) -> None:
    await editor.run("apply")
    renamed = FILE.replace("- name: Top-up\n", "- name: Extra credits\n  renamed_from: Top-up\n").replace(
        "product: Top-up", "product: Extra credits"
    )

    assert "~ product 'Top-up' is renamed 'Extra credits'" in (await editor.run("apply", renamed)).out
    assert (await editor.run("diff", renamed)).out == "nothing to do: 12 as the file says\n"
    archived = renamed.replace("- name: Calls\n", "- name: Calls\n  archived: true\n")
    assert "- metric 'Calls' is archived" in (await editor.run("apply", archived)).out
    assert (await editor.run("diff", archived)).status == DONE
    changed = await editor.run("apply", renamed.replace("aggregation: sum", "aggregation: max"))
    assert (changed.status, "aggregation: sum → max" in changed.err) == (WRONG, True)
    assert "give the new one another name" in changed.err
    back = await editor.run("apply", renamed)
    assert "+ metric 'Calls'" in back.out


async def test_what_a_file_leaves_out_stays_and_is_named(editor: Editor) -> None:
    await editor.run("apply")

    left = await editor.run("diff", "credit_types: [{name: AI credits}]")

    assert left.status == DONE
    for note in (
        "product 'Assistant'",
        "metric 'Calls'",
        "rate card 'List prices'",
        "pack '1,000 AI credits'",
    ):
        assert f"{note} is not in the file" in left.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("product: []", "there is no section 'product'"),
        ("products: [{product_type: fixed}]", "products[0]: must have a name"),
        ("products: [{name: A, name: B}]", "the key 'name' occurs twice"),
        ("products: [", "is not YAML"),
        ("- products", "it must consist of sections"),
        ("credit_types: [{name: A}, {name: A}]", "credit_types: 'A' occurs twice"),
        ("products: [{name: A, kind: fixed}]", "there is no field 'kind'; there are"),
        (
            "products: [{name: A, product_type: fix}]",
            "product_type: 'fix' is not one of subscription, usage, fixed",
        ),
        (
            "products: [{name: A, product_type: usage, metric: M}]",
            "there is no metric 'M', neither in the file nor",
        ),
        (
            FILE.replace("price: 12", "price: 1.1234567"),
            "rates[0]: price: 1.1234567 has more than 6 decimals",
        ),
        (FILE.replace("80 USD", "80"), "is not an amount with its currency"),
        (FILE.replace("lifetime: 365d", "lifetime: 365"), "is not a span"),
        (
            FILE.replace("    price: 100\n    effective_time: 2025-06-01", "    price: 100"),
            "rates[2]: effective_time is required",
        ),
        (
            FILE.replace("\npacks:", CHEAPER.replace("07-01", "06-01")),
            "another rate from the same instant on",
        ),
    ],
)
async def test_a_mistake_in_a_file_is_said_before_anything_is_changed(
    editor: Editor, text: str, says: str
) -> None:
    ended = await editor.run("apply", text)

    assert (ended.status, ended.out) == (WRONG, "")
    assert says in ended.err
    assert "nothing" in (await editor.user.run("product", "list")).out


async def test_all_mistakes_are_said_together(editor: Editor) -> None:
    wrong = FILE.replace("80 USD", "80").replace("aggregation: count", "aggregation: counting")

    ended = await editor.run("plan", wrong)

    assert ended.err.count("\n") == 3
    assert "metrics[1] (Calls): aggregation: " in ended.err
    assert "packs[0] (1,000 AI credits): price: " in ended.err


async def test_an_apply_whose_answer_is_lost_is_repeated_with_one_effect(
    editor: Editor, running: RunningCatalog
) -> None:
    lists = 5
    async with CuttingProxy.before(running.address) as proxy:
        before = ("--insecure", "--address", f"catalog={proxy.address}")
        user = CommandLine(home=editor.path.parent, before=before, clock=running.clock)
        proxy.cut_next_answers(after=lists)
        first = await Editor(user, editor.path).run("apply")

        assert proxy.cuts == 1
    second = await editor.run("apply")

    assert (first.status, first.out, second.status) == (RETRY, "", DONE)
    assert "credit type 'AI credits': " in first.err
    assert "apply the file again" in first.err
    assert (await editor.run("diff")).out == "nothing to do: 12 as the file says\n"


async def test_two_things_of_one_name_need_other_names_first(editor: Editor) -> None:
    for _ in range(2):
        await editor.user.run("product", "create", "--name", "Twin", "--product-type", "fixed")

    ended = await editor.run("plan")

    assert ended.status == REFUSED
    assert "two products have the name 'Twin': prd_" in ended.err


async def test_a_catalog_that_is_away_is_said(tmp_path: Path) -> None:
    alone = Editor(
        CommandLine(home=tmp_path, before=("--insecure", "--address", f"catalog={NOBODY}")),
        tmp_path / "c.yaml",
    )

    assert (await alone.run("plan")).status == RETRY
    assert (await alone.user.run("catalog", "plan", str(tmp_path / "nowhere.yaml"))).status == WRONG


async def card_of(editor: Editor) -> str:
    answer = (await editor.user.run("rate-card", "list", "--json")).answer
    return str(answer["rateCards"][0]["rateCardId"])
