# SPDX-License-Identifier: Apache-2.0
"""Compares a file with the Catalog. Nothing is ever deleted: what the file does not name stays as it is."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from google.protobuf.message import Message

from purser_cli.catalog import rates
from purser_cli.catalog.document import Document, Item, resolved
from purser_cli.catalog.kinds import KINDS, PRODUCTS, RATE_CARDS, Kind
from purser_cli.catalog.state import State
from purser_cli.catalog.steps import Plan, Step, differences, request_for
from purser_cli.rpc import requests
from purser_cli.rpc.values import WrongValue

NEW = "new:"


class Ids:
    """The ids of what a file names: those that exist, and those that are created on the way."""

    def __init__(self, document: Document, state: State) -> None:
        self._document = document
        self._state = state
        self._made: dict[tuple[str, str], str] = {}

    def add(self, section: str, name: str, thing_id: str) -> None:
        """Remember what was created."""
        self._made[section, name] = thing_id

    def find(self, section: str, name: str) -> str:
        """Return an id, a placeholder for what the file will create. Raises WrongValue if there is no such thing."""
        found = self._made.get((section, name)) or self._state.id_of(section, name)
        if found is None and name in self._document.names(section):
            found = NEW + name
        if found is None:
            raise WrongValue(
                f"there is no {KINDS[section].word} {name!r}, neither in the file nor in the Catalog"
            )
        return found


def plan_of(document: Document, state: State, ids: Ids) -> Plan:
    """Return what must be done. Raises Failed if names in the Catalog are not unique."""
    plan = Plan()
    for section, kind in KINDS.items():
        existing = state.active(section)
        for item in document.sections[section]:
            _plan_item(plan, kind, item, existing, state, ids)
    for item in document.sections[RATE_CARDS]:
        rates.plan_rates(plan, item, state, ids.find)
    _plan_archives(plan, document, state)
    for section, kind in KINDS.items():
        named = {name for item in document.sections[section] for name in (item.name, item.renamed_from)}
        plan.notes += [
            f"{kind.word} {name!r} is not in the file" for name in state.active(section) if name not in named
        ]
    return plan


def request_of(kind: Kind, item: Item, ids: Ids) -> Message:
    """Return the request that creates an item. Raises WrongValue."""
    request = kind.request()
    requests.fill(request, resolved({"name": item.name, **item.fields}, ids.find))
    return request


def _plan_item(
    plan: Plan, kind: Kind, item: Item, existing: Mapping[str, Any], state: State, ids: Ids
) -> None:
    if item.is_archived:
        return
    try:
        wanted = request_of(kind, item, ids)
    except WrongValue as error:
        plan.problems.append(f"{item.where} ({item.name}): {error}")
        return
    kind.defaults(wanted)
    found = existing.get(item.name)
    if found is None and item.renamed_from in existing:
        found = existing[item.renamed_from]
        plan.steps.append(_rename(kind, item, found))
        ids.add(kind.section, item.name, kind.id_of(found))
    if found is None:
        same_name = [kind.id_of(one) for one in state.things[kind.section] if one.name == item.name]
        plan.steps.append(
            Step(
                sign="+",
                what=f"{kind.word} {item.name!r}",
                rpc=kind.create,
                build=partial(request_of, kind, item, ids),
                basis=",".join(same_name),
                made=(kind.section, item.name),
                details=tuple(f"{key}: {value}" for key, value in item.fields.items()),
            )
        )
        return
    differ = [text for text in differences(kind.request_like(found), wanted) if not text.startswith("name: ")]
    if differ:
        plan.problems.append(
            f"{item.where}: {kind.word} {item.name!r} exists and cannot be changed in place "
            f"({'; '.join(differ)}); give the new one another name"
        )
    else:
        plan.unchanged += 1


def _rename(kind: Kind, item: Item, found: Any) -> Step:
    assert kind.section == PRODUCTS
    product_id = kind.id_of(found)
    return Step(
        sign="~",
        what=f"{kind.word} {item.renamed_from!r} is renamed {item.name!r}",
        rpc="UpdateProduct",
        build=lambda: request_for("UpdateProduct", product_id=product_id, name=item.name),
        basis=found.name,
    )


def _plan_archives(plan: Plan, document: Document, state: State) -> None:
    # Products before metrics: what is in use is retired last.
    for section in reversed(list(KINDS)):
        kind, existing = KINDS[section], state.active(section)
        for item in document.sections[section]:
            if item.is_archived and item.name in existing:
                fields = {kind.id_field: kind.id_of(existing[item.name])}
                plan.steps.append(
                    Step(
                        sign="-",
                        what=f"{kind.word} {item.name!r} is archived",
                        rpc=kind.archive,
                        build=partial(request_for, kind.archive, **fields),
                        basis="",
                    )
                )
            elif item.is_archived:
                plan.unchanged += 1
