# SPDX-License-Identifier: Apache-2.0
"""Responses as JSON, and for people: a table for a list, lines of name and value for one thing."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from purser_cli.rpc import requests, values
from purser_cli.rpc.descriptors import (
    descriptor_of,
    enum_of,
    fields_of,
    is_list_of_messages,
    is_map,
    set_fields,
)
from purser_cli.rpc.values import MICROS_ENDING

NEXT_PAGE = "next_page_token"
# Output that is no terminal is read by programs, which count no columns.
PIPE_WIDTH = 10_000
CELL_WIDTH_MAX = 48
PERIOD = "purser.type.v1.BillingPeriod"
# Messages that are shown as one text.
ONE_TEXT = ("google.protobuf.Timestamp", "google.protobuf.Duration", "purser.type.v1.Money", PERIOD)
RIGHT = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
}
Rows = Sequence[Mapping[str, str]]


def console(*, stderr: bool = False) -> Console:
    """Return a console without colours where NO_COLOR is set or the output is no terminal."""
    made = Console(stderr=stderr, highlight=False, emoji=False)
    if not made.is_terminal and not stderr:
        made.width = PIPE_WIDTH
    return made


def as_json(message: Message) -> str:
    """Return the proto's JSON of a message."""
    return json.dumps(json_format.MessageToDict(message), indent=2, ensure_ascii=False)


def show(message: Message, out: Console, *, empty: str = "nothing") -> None:
    """Print a response for people. empty: what is printed if it says nothing."""
    listed = _listed(message)
    if listed is None:
        _show_one(message, out, empty)
        return
    field, rest = listed
    show_rows(list(getattr(message, field.name)), out)
    for other, value in rest:
        out.print(f"{label(other)}: {escape(text_of(other, value))}", soft_wrap=True)


def rows_of(message: Message) -> list[Message]:
    """Return the messages that a response lists, or else the response, or the one message that it consists of."""
    if listed := _listed(message):
        return list(getattr(message, listed[0].name))
    only = set_fields(message)
    return [only[0][1] if len(only) == 1 and _is_plain_message(only[0][0]) else message]


def show_rows(
    messages: Sequence[Message], out: Console, *, first: Mapping[int, Mapping[str, str]] | None = None
) -> None:
    """Print a table of messages of one kind. first: columns before the others, by row."""
    if not messages:
        out.print("nothing")
        return
    if not any(map(_is_cell, fields_of(messages[0]))):
        # Nothing but messages inside, such as the results of a batch: the first one of each says most.
        messages = [set_fields(message)[0][1] if set_fields(message) else message for message in messages]
    fields = [field for field in fields_of(messages[0]) if _is_cell(field)]
    if any(descriptor_of(message) is not descriptor_of(messages[0]) for message in messages):
        for message in messages:
            _show_one(message, out)
        return
    rows = [
        {**(first or {}).get(at, {}), **{label(one): _short(_cell(message, one)) for one in fields}}
        for at, message in enumerate(messages)
    ]
    right = {label(field) for field in fields if field.cpp_type in RIGHT}
    show_table(rows, out, right=right)


def show_table(rows: Rows, out: Console, *, right: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Print rows of texts by column; columns without any text, and those that do not fit, are left out."""
    names = [name for name in rows[0] if any(row.get(name) for row in rows)]
    fitting = _fitting(names, rows, out.width)
    table = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False, show_edge=False)
    for name in fitting:
        table.add_column(
            name, justify="right" if name in right else "left", overflow="fold", no_wrap=len(fitting) > 1
        )
    for row in rows:
        table.add_row(*(escape(row.get(name, "")) for name in fitting))
    out.print(table)
    if left_out := [name for name in names if name not in fitting]:
        typer.echo(f"not shown, because the terminal is narrow: {', '.join(left_out)}", err=True)


def label(field: FieldDescriptor) -> str:
    """Return a field's name for people."""
    return requests.short_name(field).replace("_", " ")


def text_of(field: FieldDescriptor, value: Any) -> str:
    """Return a field's value for people, in one line."""
    return _text(field, value)


def amount(micros: int) -> str:
    """Return millionths as people read them: 12,500.5."""
    units, _, rest = values.decimal_text(abs(micros)).partition(".")
    return ("-" if micros < 0 else "") + f"{int(units):,}" + (f".{rest}" if rest else "")


def _listed(message: Message) -> tuple[FieldDescriptor, list[tuple[FieldDescriptor, Any]]] | None:
    """Return the list that a response is about, and what else it says."""
    lists = [one for one in fields_of(message) if is_list_of_messages(one)]
    names = [field.name for field in fields_of(message)]
    is_list = descriptor_of(message).name.startswith("List") or NEXT_PAGE in names or len(names) == 1
    if not lists or not is_list:
        return None
    rest = [
        (field, value)
        for field, value in set_fields(message)
        if field is not lists[0] and field.name != NEXT_PAGE
    ]
    return lists[0], rest


def _show_one(message: Message, out: Console, empty: str = "nothing") -> None:
    only = set_fields(message)
    if len(only) == 1 and _is_plain_message(only[0][0]):
        message = only[0][1]
    lines = list(_lines(message, ""))
    width = max((len(name) for name, _ in lines), default=0)
    if not lines:
        out.print(empty)
    for name, text in lines:
        out.print(f"[bold]{escape(name.ljust(width))}[/]  {escape(text)}".rstrip(), soft_wrap=True)


def _lines(message: Message, indent: str) -> Any:
    for field, value in set_fields(message):
        name = indent + label(field)
        if _is_plain_message(field):
            yield name, ""
            yield from _lines(value, indent + "  ")
        elif is_list_of_messages(field):
            for number, one in enumerate(value, start=1):
                yield f"{name} {number}", _one_line(one) if _is_flat(one) else ""
                if not _is_flat(one):
                    yield from _lines(one, indent + "  ")
        else:
            yield name, _text(field, value)


def _is_flat(message: Message) -> bool:
    inside = set_fields(message)
    return len(inside) <= 4 and not any(
        _is_plain_message(one) or is_list_of_messages(one) for one, _ in inside
    )


def _one_line(message: Message) -> str:
    return ", ".join(f"{label(field)} {_text(field, value)}" for field, value in set_fields(message))


def _short(text: str) -> str:
    return text if len(text) <= CELL_WIDTH_MAX else f"{text[: CELL_WIDTH_MAX - 1]}…"


def _cell(message: Message, field: FieldDescriptor) -> str:
    if field.message_type is not None and not field.is_repeated:
        return _text(field, getattr(message, field.name)) if message.HasField(field.name) else ""
    value = getattr(message, field.name)
    if field.enum_type is not None and not field.is_repeated:
        return _text(field, value) if value else ""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "yes" if value else ""
    return _text(field, value)


def _text(field: FieldDescriptor, value: Any) -> str:
    if is_map(field):
        return " ".join(f"{key}={one}" for key, one in sorted(value.items()))
    if field.is_repeated:
        return ", ".join(_single(field, one) for one in value)
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> str:
    if field.message_type is not None:
        text = values.special_text(value)
        if text is None and field.message_type.full_name == PERIOD:
            return f"{values.instant_text(value.start_time)} to {values.instant_text(value.end_time)}"
        return f"({_one_line(value)})" if text is None else text
    if field.enum_type is not None:
        return values.enum_name(enum_of(field), value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f"{len(value):,} bytes"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if field.name.endswith(MICROS_ENDING):
        return amount(value)
    return str(value)


def _fitting(names: Sequence[str], rows: Rows, width: int) -> list[str]:
    fitting: list[str] = []
    used = 0
    for name in names:
        needed = max(len(name), *(len(row.get(name, "")) for row in rows)) + 2
        if used + needed <= width + 2 or not fitting:
            fitting.append(name)
            used += needed
    return fitting


def _is_cell(field: FieldDescriptor) -> bool:
    if field.message_type is None or is_map(field):
        return True
    return field.message_type.full_name in ONE_TEXT


def _is_plain_message(field: FieldDescriptor) -> bool:
    return field.message_type is not None and not field.is_repeated and not _is_cell(field)
