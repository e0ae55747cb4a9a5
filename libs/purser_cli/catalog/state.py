# SPDX-License-Identifier: Apache-2.0
"""The Catalog as it is, and the ids of what a file names."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from purser_cli.catalog.kinds import CREDIT_TYPES, KINDS, RATE_CARDS
from purser_cli.exits import REFUSED, Failed
from purser_cli.rpc.asking import business_time, every
from purser_cli.session.command_line import CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """things: all of each section, archived ones too. rates: of each card, by its id. now: business time."""

    things: dict[str, list[Any]]
    rates: dict[str, list[Any]]
    now: datetime

    def active(self, section: str) -> dict[str, Any]:
        """Return what is for use, by name. Raises Failed if two have one name."""
        found: dict[str, Any] = {}
        for one in self.things[section]:
            if is_archived(one):
                continue
            if one.name in found:
                word, kind = KINDS[section].word, KINDS[section]
                pair = f"{kind.id_of(found[one.name])} and {kind.id_of(one)}"
                raise Failed(
                    f"two {word}s have the name {one.name!r}: {pair}; a file needs different names",
                    status=REFUSED,
                )
            found[one.name] = one
        return found

    def id_of(self, section: str, name: str) -> str | None:
        """Return the id of what is for use and has a name, or the id itself; None if there is none."""
        kind = KINDS[section]
        found = self.active(section).get(name)
        if found is not None:
            return kind.id_of(found)
        ids = {kind.id_of(one) for one in self.things[section]}
        if name in ids or (section == CREDIT_TYPES and _is_currency(name)):
            return name
        return None

    def name_of(self, section: str, thing_id: str) -> str:
        """Return the name by which a file names a thing: that of one for use, otherwise its id."""
        kind = KINDS[section]
        named = {kind.id_of(one): name for name, one in self.active(section).items()}
        return (
            thing_id if section == CREDIT_TYPES and _is_currency(thing_id) else named.get(thing_id, thing_id)
        )


def read(line: CommandLine) -> State:
    """Return the Catalog as it is. Raises Failed."""
    things = {
        section: list(every(line, kind.list, **({"include_archived": True} if kind.archive else {})))
        for section, kind in KINDS.items()
    }
    # Money is there from the beginning, or comes with a rate card; no file creates it.
    things[CREDIT_TYPES] = [one for one in things[CREDIT_TYPES] if not _is_currency(one.credit_type_id)]
    rates = {
        card.rate_card_id: list(every(line, "ListRates", rate_card_id=card.rate_card_id))
        for card in things[RATE_CARDS]
    }
    return State(things=things, rates=rates, now=business_time(line))


def is_archived(thing: Any) -> bool:
    """Return whether a thing is retired."""
    return "archive_time" in thing.DESCRIPTOR.fields_by_name and bool(thing.HasField("archive_time"))


def _is_currency(credit_type_id: str) -> bool:
    return len(credit_type_id) == 3 and credit_type_id.isupper()
