# SPDX-License-Identifier: Apache-2.0
"""The options of a command, from the fields of its request."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from purser_cli.rpc import comments, requests, values
from purser_cli.rpc.descriptors import enum_of, is_required
from purser_cli.rpc.names import Rpc
from purser_cli.rpc.values import MICROS_ENDING, WrongValue

REQUEST_ID = "request_id"
PAGE_TOKEN = "page_token"
SUBJECTS = "subjects"
KINDS = {
    FieldDescriptor.CPPTYPE_STRING: "TEXT",
    FieldDescriptor.CPPTYPE_ENUM: "NAME",
    FieldDescriptor.CPPTYPE_BOOL: "",
}
SPECIAL_KINDS = {
    "google.protobuf.Timestamp": "TIME",
    "google.protobuf.Duration": "SPAN",
    "purser.type.v1.Money": "MONEY",
}
# What a command has in addition to the fields of its request; a field of one of these names gets the prefix `with`.
RESERVED = {"json", "all", "request", "service", "out", "help"}


@dataclass(frozen=True, slots=True)
class FieldOption:
    """One field as an option. positional: whether its value may also stand without the option's name."""

    field: FieldDescriptor
    positional: bool

    @property
    def name(self) -> str:
        """Return the option's name, without its dashes: `amount` of amount_micros."""
        short = requests.short_name(self.field).replace("_", "-")
        return f"with-{short}" if short in RESERVED else short

    def parameter(self) -> inspect.Parameter:
        """Return the parameter of a command's function."""
        kind: Any = bool if self.field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else str
        kind = list[kind] if self.field.is_repeated else kind
        declared = [f"--{self.name}/--no-{self.name}" if kind is bool else f"--{self.name}"]
        option = typer.Option(
            *declared, help=self._help(), metavar=self._metavar() or None, autocompletion=self._completion()
        )
        return _keyword(self.field.name, Annotated[kind | None, option])

    def _help(self) -> str:
        required = " [required]" if is_required(self.field) else ""
        repeated = " Repeatable." if self.field.is_repeated else ""
        return comments.of_field(self.field) + repeated + required

    def _metavar(self) -> str:
        if self.field.message_type is not None:
            return SPECIAL_KINDS.get(self.field.message_type.full_name, "KEY=VALUE,…|JSON|@FILE")
        return KINDS.get(
            self.field.cpp_type, "DECIMAL" if self.field.name.endswith(MICROS_ENDING) else "NUMBER"
        )

    def _completion(self) -> Callable[[str], list[str]] | None:
        if self.field.enum_type is None:
            return None
        names = values.enum_names(enum_of(self.field))
        return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def options_of(rpc: Rpc) -> list[FieldOption]:
    """Return the options of an rpc's command: its fields but for the idempotency key and the page."""
    own = (PAGE_TOKEN, REQUEST_ID) if rpc.is_write else (PAGE_TOKEN,)
    fields = [one for one in rpc.method.input_type.fields if one.name not in own]
    return [FieldOption(field, is_required(field) and _is_id(field)) for field in fields]


def parameters_of(rpc: Rpc) -> Iterator[inspect.Parameter]:
    """Return the parameters of an rpc's command."""
    options = options_of(rpc)
    if positional := [option.name for option in options if option.positional]:
        metavar = " ".join(f"[{name.upper()}]" for name in positional)
        instead = f"Instead of {', '.join(f'--{name}' for name in positional)}, in this order."
        yield _keyword(SUBJECTS, Annotated[list[str] | None, typer.Argument(metavar=metavar, help=instead)])
    for option in sorted(options, key=lambda one: not is_required(one.field)):
        yield option.parameter()
    yield from _common(rpc)


def request_of(rpc: Rpc, given: dict[str, Any], *, new_id: Callable[[], str]) -> Message:
    """Return the request that options make, over the one of --request. Raises WrongValue."""
    request: Message = GetMessageClass(rpc.method.input_type)()
    if base := given.get("request_base"):
        requests.fill(request, requests.json_object(requests.content_of(base)))
    subjects = list(given.get(SUBJECTS) or ())
    for option in options_of(rpc):
        value = given.get(option.field.name)
        if option.positional and value is None and subjects:
            value = subjects.pop(0)
        if value is not None and value != []:
            _set(request, option, value)
    if subjects:
        raise WrongValue(f"{', '.join(subjects)}: nothing is left that this could say")
    if rpc.is_write:
        setattr(request, REQUEST_ID, given.get(REQUEST_ID) or getattr(request, REQUEST_ID) or new_id())
    return request


def _set(request: Message, option: FieldOption, value: Any) -> None:
    as_micros = option.field.name.endswith(MICROS_ENDING)
    try:
        requests.set_field(request, option.field, value, as_micros=as_micros)
    except WrongValue as error:
        rest = error.path.removeprefix(f".{requests.short_name(option.field)}").removeprefix(
            f".{option.field.name}"
        )
        raise WrongValue(error.text, f"--{option.name}{rest}") from None


def _common(rpc: Rpc) -> Iterator[inspect.Parameter]:
    request = typer.Option(
        "--request", metavar="JSON|@FILE", help="The whole request as JSON; other options go over it."
    )
    yield _keyword("request_base", Annotated[str | None, request])
    if rpc.is_write:
        again = typer.Option(
            "--request-id", metavar="ID", help="Idempotency key: repeat a failed command with its key."
        )
        yield _keyword(REQUEST_ID, Annotated[str | None, again])
    if PAGE_TOKEN in rpc.method.input_type.fields_by_name:
        token = typer.Option("--page-token", metavar="TOKEN", help="The page to begin with.")
        yield _keyword(PAGE_TOKEN, Annotated[str | None, token])
        yield _keyword(
            "every_page", Annotated[bool, typer.Option("--all", help="Follow all pages.")], default=False
        )
    if len(rpc.services) > 1:
        names = ", ".join(rpc.services)
        service = typer.Option("--service", metavar="NAME", help=f"Which service: {names}.")
        yield _keyword("service", Annotated[str | None, service])
    if any(field.type == FieldDescriptor.TYPE_BYTES for field in rpc.method.output_type.fields):
        out = typer.Option("--out", metavar="FILE", help="Where the content goes; - is the standard output.")
        yield _keyword("out", Annotated[str, out], default="-")
    yield _keyword(
        "as_json", Annotated[bool, typer.Option("--json", help="Print the response as JSON.")], default=False
    )


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _is_id(field: FieldDescriptor) -> bool:
    is_text = field.cpp_type == FieldDescriptor.CPPTYPE_STRING and not field.is_repeated
    return is_text and (field.name == "customer" or (field.name.endswith("_id") and field.name != REQUEST_ID))
