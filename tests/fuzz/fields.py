# SPDX-License-Identifier: Apache-2.0
"""Fills and changes messages field by field, from their descriptors: plausible values, or values at the edges."""

import random
from collections.abc import Iterator
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.fuzz import values
from tests.fuzz.knowledge import Knowledge, is_map

BYTES_MAX = 3_000_000
DEPTH_MAX = 6


class Filler:
    """Draws values for fields. prefix: of the request ids it makes, so that each is new."""

    def __init__(self, dice: random.Random, knowledge: Knowledge, prefix: str) -> None:
        self._dice = dice
        self._knowledge = knowledge
        self._prefix = prefix
        self._made = 0
        self._fact: dict[str, str] = {}

    def fill(self, message: Message, *, awkward: float) -> None:
        """Set fields of an empty message. awkward: the share of values at the edges, 0 to 1."""
        self._fact = self._knowledge.fact_for(self._dice, message)
        self._fill(message, awkward, DEPTH_MAX)

    def change(self, message: Message, *, times: int) -> None:
        """Change single fields, at any depth, of a message that is good otherwise."""
        for _ in range(times):
            # A wrong request_id hides every other change.
            places = [
                place
                for place in _places(message)
                if place[1].name != "request_id" or self._dice.random() < 0.1
            ]
            if places:
                holder, described = self._dice.choice(places)
                self._fact = self._knowledge.fact_for(self._dice, holder)
                self._change(holder, described)

    def refresh(self, message: Message) -> None:
        """Give every request_id in a message a new value."""
        for described, value in message.ListFields():
            if described.name == "request_id":
                message.request_id = self.request_id()  # type: ignore[attr-defined]
            elif described.message_type is not None and not is_map(described):
                for item in value if described.is_repeated else (value,):
                    self.refresh(item)

    def request_id(self) -> str:
        self._made += 1
        return f"{self._prefix}-{self._made}"

    def _fill(self, message: Message, awkward: float, depth: int) -> None:
        # Few optional fields as often as many: some exclude each other.
        optional = self._dice.choice((0.08, 0.25, 0.5, 0.9))
        for described in message.DESCRIPTOR.fields:
            if self._dice.random() < (0.98 if _is_required(described) else optional):
                self._set(message, described, self._dice.random() < awkward, awkward, depth)

    def _change(self, holder: Message, described: FieldDescriptor) -> None:
        if described.is_repeated and not is_map(described) and self._dice.random() < 0.5:
            self._multiply(holder, described)
        elif self._dice.random() < 0.2:
            holder.ClearField(described.name)
        else:
            holder.ClearField(described.name)
            self._set(holder, described, self._dice.random() < 0.75, 0.3, 2)

    def _multiply(self, holder: Message, described: FieldDescriptor) -> None:
        """Repeat the elements of a repeated field, up to and beyond its limit, as far as the message stays sendable."""
        items = list(getattr(holder, described.name))
        if not items:
            return
        size = max(1, holder.ByteSize() // len(items))
        count = min(values.a_count(self._dice), BYTES_MAX // size)
        holder.ClearField(described.name)
        for n in range(count):
            item = items[n % len(items)]
            if isinstance(item, Message):
                made = getattr(holder, described.name).add()
                made.CopyFrom(item)
                self.refresh(made)
            else:
                getattr(holder, described.name).append(item)

    def _set(
        self, message: Message, described: FieldDescriptor, is_awkward: bool, awkward: float, depth: int
    ) -> None:
        if is_map(described):
            self._set_map(getattr(message, described.name), described, is_awkward)
        elif described.is_repeated:
            count = values.a_count(self._dice) if is_awkward else self._dice.choice((1, 1, 2, 3))
            if described.message_type is not None:
                count = min(count, 20)
            for _ in range(count):
                if message.ByteSize() > BYTES_MAX:
                    break
                self._add(message, described, awkward, depth)
        elif described.message_type is not None:
            self._set_message(getattr(message, described.name), described, is_awkward, awkward, depth)
        else:
            setattr(message, described.name, self._scalar(described, is_awkward))

    def _add(self, message: Message, described: FieldDescriptor, awkward: float, depth: int) -> None:
        repeated = getattr(message, described.name)
        is_awkward = self._dice.random() < awkward
        if described.message_type is not None:
            self._set_message(repeated.add(), described, is_awkward, awkward, depth)
        else:
            repeated.append(self._scalar(described, is_awkward))

    def _set_map(self, entries: Any, described: FieldDescriptor, is_awkward: bool) -> None:
        value_type = described.message_type.fields_by_name["value"]
        for _ in range(values.a_count(self._dice) if is_awkward else self._dice.choice((1, 2, 3))):
            key = self._knowledge.text(self._dice, described.name)
            if key is None or (is_awkward and self._dice.random() < 0.7):
                key = values.a_text(self._dice)
            if value_type.type == FieldDescriptor.TYPE_STRING:
                known = self._knowledge.text(self._dice, f"{described.name}.{key}")
                entries[key] = values.a_text(self._dice) if known is None or is_awkward else known

    def _set_message(
        self, message: Message, described: FieldDescriptor, is_awkward: bool, awkward: float, depth: int
    ) -> None:
        message.SetInParent()
        match described.message_type.full_name:
            case "google.protobuf.Timestamp":
                now = self._knowledge.now
                message.CopyFrom(
                    values.a_time(self._dice) if is_awkward else values.a_plausible_time(self._dice, now)
                )
            case "google.protobuf.Duration":
                message.CopyFrom(values.a_span(self._dice))
            case _ if depth > 0:
                self._fill(message, awkward, depth - 1)

    def _scalar(self, described: FieldDescriptor, is_awkward: bool) -> Any:
        dice, name = self._dice, described.name
        match described.type:
            case FieldDescriptor.TYPE_BOOL:
                return dice.random() < 0.5
            case FieldDescriptor.TYPE_ENUM if is_awkward:
                return values.an_enum(dice, described.enum_type)
            case FieldDescriptor.TYPE_ENUM:
                return dice.choice([value.number for value in described.enum_type.values][1:])
            case FieldDescriptor.TYPE_INT64:
                return (
                    values.an_int64(dice)
                    if is_awkward
                    else values.a_plausible_number(dice, name, self._knowledge.now)
                )
            case FieldDescriptor.TYPE_INT32:
                return values.an_int32(dice) if is_awkward else values.a_plausible_number(dice, name, 1)
            case FieldDescriptor.TYPE_STRING:
                return self._text(name, is_awkward)
            case FieldDescriptor.TYPE_BYTES:
                return dice.randbytes(dice.choice((0, 1, 16, 1_000)))
            case other:
                raise AssertionError(f"no values for the type {other} of {described.full_name} yet")

    def _text(self, name: str, is_awkward: bool) -> str:
        if is_awkward:
            if name == "url":
                return values.a_url(self._dice)
            if name == "page_token":
                return self._dice.choice(values.DEEP_TOKENS)
            return values.a_text(self._dice)
        if name == "request_id":
            return self.request_id()
        if name in ("page_token", "next_page_token"):
            return ""
        if name in ("currency_code", "fiat_credit_type_id"):
            return "USD"
        if name in self._fact and self._dice.random() < 0.85:
            return self._fact[name]
        known = self._knowledge.text(self._dice, name)
        # A new name now and then: a list of aliases is not always somebody's.
        if known is None or (not name.endswith("_id") and self._dice.random() < 0.3):
            return f"{name}-{self._dice.randrange(10**6)}"
        return known


def _is_required(described: FieldDescriptor) -> bool:
    behaviours = described.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.FieldBehavior.REQUIRED in behaviours


def _places(message: Message) -> Iterator[tuple[Message, FieldDescriptor]]:
    """Yield every field of a message, and of those messages in it that are set."""
    for described in message.DESCRIPTOR.fields:
        yield message, described
        if described.message_type is None or is_map(described):
            continue
        if described.message_type.full_name.startswith("google.protobuf."):
            continue
        if described.is_repeated:
            for item in list(getattr(message, described.name))[:3]:
                yield from _places(item)
        elif message.HasField(described.name):
            yield from _places(getattr(message, described.name))
