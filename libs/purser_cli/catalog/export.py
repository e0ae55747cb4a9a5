# SPDX-License-Identifier: Apache-2.0
"""Writes the Catalog as a file: applied to the same Catalog, it changes nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar

import yaml
from google.protobuf.message import Message

from purser_cli.catalog import rates
from purser_cli.catalog.document import RATES
from purser_cli.catalog.kinds import KINDS, PACK_PRIORITY, RATE_CARDS, REFERENCES
from purser_cli.catalog.state import State
from purser_cli.rpc import requests

HEADER = "# What is sold and at what price. purser catalog diff FILE compares, purser catalog apply FILE changes.\n"
SECTION_OF = {field: (key, section) for key, (section, field) in REFERENCES.items()}


def text_of(state: State) -> str:
    """Return the file of a Catalog, without what is archived. Raises Failed if names are not unique."""
    told: dict[str, list[dict[str, Any]]] = {}
    for section, kind in KINDS.items():
        items = [_item(kind.request_like(one), state) for one in state.active(section).values()]
        if section == RATE_CARDS:
            for item, card in zip(items, state.active(section).values(), strict=True):
                item[RATES] = [_rate(one, card.rate_card_id, state) for one in _of_sold_products(card, state)]
        told[section] = items
    return HEADER + yaml.dump(told, Dumper=_Texts, sort_keys=False, allow_unicode=True, width=110)


class _Texts(yaml.SafeDumper):
    """Writes numbers and times without quotes: catalog files are read as texts."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {}  # type: ignore[misc]


def _item(request: Message, state: State) -> dict[str, Any]:
    return {"name": "", **_named(requests.plain(request), state)}


def _of_sold_products(card: Any, state: State) -> list[Any]:
    sold = {one.product_id for one in state.active("products").values()}
    return [one for one in rates.listed(state.rates[card.rate_card_id]) if one.product_id in sold]


def _rate(rate: Any, card_id: str, state: State) -> dict[str, Any]:
    every = rates.listed(state.rates[card_id])
    terms = rates.terms_of(rate, state.rates[card_id])
    following = rates.next_times(every).get((rates.line_of(rate), rate.effective_time.ToNanoseconds()))
    if following is not None and terms.HasField("end_time") and terms.end_time == following:
        # The next rate of the line implies it.
        terms.ClearField("end_time")
    made: dict[str, Any] = _named(_without_defaults(requests.plain(terms)), state)
    return made


def _without_defaults(plain: dict[str, Any]) -> dict[str, Any]:
    made = {
        key: value
        for key, value in plain.items()
        if (key, value) not in (("per", "1"), ("rate_type", "flat"))
    }
    for tier in made.get("tiers", ()):
        if tier.get("per") == "1":
            del tier["per"]
    return made


def _named(value: Any, state: State) -> Any:
    """Replace ids by names."""
    if isinstance(value, list):
        return [_named(one, state) for one in value]
    if not isinstance(value, Mapping):
        return value
    made: dict[str, Any] = {}
    for key, one in value.items():
        if key in SECTION_OF:
            name, section = SECTION_OF[key]
            made[name] = state.name_of(section, one)
        elif (key, one) not in (("priority", PACK_PRIORITY), ("property", value.get("key"))):
            made[key] = _named(one, state)
    return made
