# SPDX-License-Identifier: Apache-2.0
"""What the fuzzer has learnt from answers: ids and texts by field name, requests that succeeded, page tokens.

Valid neighbours come from here: a request with a customer's real id gets further than one with a random text.
"""

import random
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.fuzz.methods import Method

VALUES_MAX = 60
FACTS_MAX = 300
FACTS_LOOKED_AT = 12
EXAMPLES_MAX = 40
TEXT_LENGTH_MAX = 200

# Fields that name something by another field's value.
MEANINGS = {
    "customer": ("customer_id", "aliases"),
    "source_id": ("top_up_id", "source_id"),
    "notice_id": ("notice_id", "request_id"),
    "corrects_rate_id": ("rate_id",),
    "replaces_rate_id": ("rate_id",),
    "fiat_credit_type_id": ("credit_type_id",),
    "scope_product_ids": ("product_id",),
    "sum_property": ("properties",),
    "aggregated_property": ("properties",),
    "property": ("properties",),
    "group_key": ("group_keys", "group_values", "properties"),
    "group_keys": ("properties", "group_values"),
    "dimension_key": ("dimension_values",),
    "service": ("service",),
}


@dataclass(slots=True)
class Knowledge:
    """now: the latest sandbox time that any service answered, in seconds. owners: customer ids by contract id.

    secret: texts that are never learnt.
    What belongs to the witness is secret, so that no request changes it on purpose.
    """

    now: int
    secret: set[str] = field(default_factory=set)
    texts: dict[str, deque[str]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=VALUES_MAX))
    )
    examples: dict[str, deque[bytes]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=EXAMPLES_MAX))
    )
    pages: dict[str, deque[tuple[bytes, str]]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=EXAMPLES_MAX))
    )

    owners: dict[str, str] = field(default_factory=dict)
    facts: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=FACTS_MAX))

    def learn(self, method: Method, request: Message, response: Message) -> None:
        """Learn from a request that succeeded, and from its response."""
        said = list(texts_of(request)) + list(texts_of(response))
        for name, text in said:
            if name not in ("request_id", "next_page_token", "page_token"):
                self._keep(name, text)
        if not any(text in self.secret for _, text in said):
            raw = request.SerializeToString()
            if len(raw) < 20_000:
                self.examples[method.path].append(raw)
                token = getattr(response, "next_page_token", "")
                if token:
                    self.pages[method.path].append((raw, token))
            self._keep_fact(said)
        told = getattr(response, "now_time", None)
        if told is not None:
            self.now = max(self.now, told.seconds)

    def keep_secret(self, *messages: Message) -> None:
        """Never learn the ids and aliases in these messages."""
        for message in messages:
            for name, text in texts_of(message):
                if name.endswith("_id") or name == "aliases":
                    self.secret.add(text)

    def text(self, dice: random.Random, name: str) -> str | None:
        """Return a known text for a field of this name; None if there is none."""
        names = MEANINGS.get(name, (name, name.removesuffix("s")))
        known = [self.texts[one] for one in names if self.texts.get(one)]
        return dice.choice(dice.choice(known)) if known else None

    def fact_for(self, dice: random.Random, message: Message) -> dict[str, str]:
        """Return ids that one call had together, such as a customer and its hold; those that suit a message best."""
        if not self.facts:
            return {}
        wanted = message.DESCRIPTOR.fields_by_name
        looked_at = [self.facts[dice.randrange(len(self.facts))] for _ in range(FACTS_LOOKED_AT)]
        return max(looked_at, key=lambda fact: sum(name in wanted for name in fact))

    def owner_of(self, message: Message) -> str:
        """Return the customer whose contract a message names; if it names none that is known, any customer."""
        known = self.owners.get(getattr(message, "contract_id", ""))
        return known or next(reversed(self.owners.values()), "cus_unknown")

    def _keep_fact(self, said: list[tuple[str, str]]) -> None:
        fact: dict[str, str] = {}
        for name, text in said:
            if (
                text
                and name not in fact
                and (name == "customer" or (name.endswith("_id") and name != "request_id"))
            ):
                fact[name] = text
        if len(fact) > 1:
            if "customer_id" in fact:
                fact.setdefault("customer", fact["customer_id"])
            self.facts.append(fact)
            if "contract_id" in fact and "customer_id" in fact:
                self.owners[fact["contract_id"]] = fact["customer_id"]

    def _keep(self, name: str, text: str) -> None:
        if text and text not in self.secret and len(text) <= TEXT_LENGTH_MAX:
            known = self.texts[name]
            if text not in known:
                known.append(text)


def texts_of(message: Message) -> Iterator[tuple[str, str]]:
    """Yield each text in a message with the name of its field. Keys of maps have the map's name, values name.key."""
    for described, value in message.ListFields():
        if is_map(described):
            for key, item in value.items():
                yield described.name, str(key)
                if isinstance(item, str):
                    yield f"{described.name}.{key}", item
        elif described.message_type is not None:
            for item in value if described.is_repeated else (value,):
                yield from texts_of(item)
        elif described.type == FieldDescriptor.TYPE_STRING:
            for item in value if described.is_repeated else (value,):
                yield described.name, item


def is_map(described: FieldDescriptor) -> bool:
    return described.message_type is not None and described.message_type.GetOptions().map_entry
