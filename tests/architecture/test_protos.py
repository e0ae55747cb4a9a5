# SPDX-License-Identifier: Apache-2.0
"""The protos: stubs are up to date, everything has a comment, and messages have the agreed shapes."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import google.api
import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from grpc_tools import protoc

from tests.architecture.source import ROOT, SERVICES, sources

READS = ("Get", "List", "Preview", "Verify", "Explain", "WatchEvents")
# What makes an item of a batch idempotent.
ITEM_KEYS = ("request_id", "transaction_id")
STATUSES = (
    "INVALID_ARGUMENT NOT_FOUND ALREADY_EXISTS FAILED_PRECONDITION ABORTED RESOURCE_EXHAUSTED UNAVAILABLE"
)
# `A_REASON, ANOTHER or A_THIRD (NOT_FOUND)`: a comment states the status of each reason in this form.
PROMISE = re.compile(
    rf"([A-Z][A-Z_]+(?:(?:,| or|,? and)\s+[A-Z][A-Z_]+)*)\s+\(({STATUSES.replace(' ', '|')})\)"
)
# Of fields that a path may contain.
PATH_TYPES = (FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_INT64)
REASON = re.compile(r"[A-Z][A-Z_]+")
KIND_OF_BASE = {
    "Invalid": "INVALID_ARGUMENT",
    "NotFound": "NOT_FOUND",
    "AlreadyExists": "ALREADY_EXISTS",
    "FailedPrecondition": "FAILED_PRECONDITION",
    "Aborted": "ABORTED",
    "ResourceExhausted": "RESOURCE_EXHAUSTED",
    "Unavailable": "UNAVAILABLE",
}


@dataclass(frozen=True)
class Element:
    """A message, field, enum, value, service or rpc, and the comment before it."""

    name: str
    kind: str
    comment: str


def _compiled(folder: Path, target: Path) -> list[FileDescriptorProto]:
    wheel = Path(next(iter(google.api.__path__))).parents[1]
    own = Path(protoc.__file__).parent / "_proto"
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.proto"))
    options = ["--include_source_info", f"--descriptor_set_out={target}"]
    assert protoc.main(["protoc", f"-I{folder}", f"-I{wheel}", f"-I{own}", *options, *files]) == 0
    return list(descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file)


def _elements(file: FileDescriptorProto) -> Iterator[Element]:
    comments = {tuple(at.path): at.leading_comments.strip() for at in file.source_code_info.location}

    def element(path: tuple[int, ...], name: str, kind: str) -> Element:
        return Element(f"{file.package}.{name}", kind, comments.get(path, ""))

    def of_message(
        path: tuple[int, ...], message: descriptor_pb2.DescriptorProto, name: str
    ) -> Iterator[Element]:
        if message.options.map_entry:
            return
        yield element(path, name, "message")
        for n, field in enumerate(message.field):
            yield element((*path, 2, n), f"{name}.{field.name}", "field")
        for n, nested in enumerate(message.nested_type):
            yield from of_message((*path, 3, n), nested, f"{name}.{nested.name}")
        for n, enum in enumerate(message.enum_type):
            yield from of_enum((*path, 4, n), enum, f"{name}.{enum.name}")

    def of_enum(
        path: tuple[int, ...], enum: descriptor_pb2.EnumDescriptorProto, name: str
    ) -> Iterator[Element]:
        yield element(path, name, "enum")
        for n, value in enumerate(enum.value):
            yield element((*path, 2, n), f"{name}.{value.name}", "value")

    for n, message in enumerate(file.message_type):
        yield from of_message((4, n), message, message.name)
    for n, enum in enumerate(file.enum_type):
        yield from of_enum((5, n), enum, enum.name)
    for n, service in enumerate(file.service):
        yield element((6, n), service.name, "service")
        for m, method in enumerate(service.method):
            yield element((6, n, 2, m), f"{service.name}.{method.name}", "rpc")


def _uncommented(files: list[FileDescriptorProto]) -> list[str]:
    return [element.name for file in files for element in _elements(file) if not element.comment]


def _wrong_shapes(files: list[FileDescriptorProto]) -> list[str]:
    return [f"{file.name}: {fault}" for file in files for fault in _shape_faults(file)]


def _shape_faults(file: FileDescriptorProto) -> Iterator[str]:
    folder = file.name.rpartition("/")[0].replace("/", ".")
    if file.package != folder:
        yield f"package {file.package} is not its path"
    messages = {message.name: message for message in file.message_type}
    for message in file.message_type:
        for field in message.field:
            if field.type in (FieldDescriptorProto.TYPE_DOUBLE, FieldDescriptorProto.TYPE_FLOAT):
                yield f"{message.name}.{field.name} is a float"
    for service in file.service:
        for method in service.method:
            request, response = (each.rpartition(".")[2] for each in (method.input_type, method.output_type))
            if (request, response) != (f"{method.name}Request", f"{method.name}Response"):
                yield f"{method.name} has not a request and a response of its own"
                continue
            fields = {field.name for field in messages[request].field}
            is_write = not method.name.startswith(READS) and file.package != "purser.sandbox.v1"
            if is_write and "request_id" not in fields and not _has_items_with_ids(messages, request):
                yield f"{request} has no request_id"


def _has_items_with_ids(messages: Mapping[str, DescriptorProto], request: str) -> bool:
    """Whether each item of a batch has an idempotency key."""
    fields = [field for field in messages[request].field if field.name in ("items", "events")]
    items = [field.type_name.rpartition(".")[2] for field in fields]
    return any(field.name in ITEM_KEYS for item in items for field in messages[item].field)


def _reasons(service: str) -> dict[str, str]:
    """Return every reason that a service can give with its status, read from the error classes."""
    shared = [source for source in sources() if source.path.parts[:2] == ("libs", "meshkit")]
    own = [source for source in sources() if source.service == service]
    found = {}
    for source in (*shared, *own):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and node.bases:
                base = KIND_OF_BASE.get(ast.unparse(node.bases[0]).rpartition(".")[2], "")
                for line in node.body:
                    if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "reason":
                        found[ast.literal_eval(line.value)] = base
    return found


def _promises(files: list[FileDescriptorProto], service: str) -> set[tuple[str, str]]:
    return {
        (reason, promise[2])
        for file in files
        if file.package == f"purser.{service}.v1"
        for element in _elements(file)
        for promise in PROMISE.finditer(" ".join(element.comment.split()))
        for reason in REASON.findall(promise[1])
    }


@pytest.fixture(scope="session")
def protos(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    return _compiled(ROOT / "protos", tmp_path_factory.mktemp("protos") / "all.binpb")


def test_the_stubs_are_what_protoc_makes_of_the_protos() -> None:
    checked = subprocess.run(
        ["sh", "deploy/local/protos.sh", "check", sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_everything_in_the_protos_has_a_comment(protos: list[FileDescriptorProto]) -> None:
    assert _uncommented(protos) == []


def test_every_message_has_the_agreed_shape(protos: list[FileDescriptorProto]) -> None:
    assert _wrong_shapes(protos) == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_promised_reason_exists_with_its_status(
    protos: list[FileDescriptorProto], service: str
) -> None:
    reasons = _reasons(service)

    unkept = [
        promise for promise in sorted(_promises(protos, service)) if reasons.get(promise[0]) != promise[1]
    ]
    assert unkept == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_reason_of_a_service_is_promised_in_its_protos(
    protos: list[FileDescriptorProto], service: str
) -> None:
    comments = " ".join(
        element.comment
        for file in protos
        if file.package == f"purser.{service}.v1"
        for element in _elements(file)
    )

    shared = _reasons("meshkit")
    assert [
        reason for reason in sorted(_reasons(service)) if reason not in shared and reason not in comments
    ] == []


def _wrong_paths(files: list[FileDescriptorProto]) -> list[str]:
    """Return rpcs of callers without a path of JSON over HTTP, and paths that cannot work."""
    wrong, seen = [], set()
    for file in files:
        requests = {message.name: message for message in file.message_type}
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                name = f"{file.package}.{service.name}/{method.name}"
                if service.name.endswith("PeerService"):
                    wrong += [f"{name} is for services only"] * bool(rule.WhichOneof("pattern"))
                    continue
                verb = rule.WhichOneof("pattern")
                path = getattr(rule, verb) if verb else ""
                plain = {
                    field.name
                    for field in requests[method.input_type.rpartition(".")[2]].field
                    if field.type in PATH_TYPES and field.label != FieldDescriptorProto.LABEL_REPEATED
                }
                shape = verb, re.sub(r"\{[^}]*\}", "{}", path)
                has_name = [(one.post, one.body) for one in rule.additional_bindings] == [(f"/{name}", "*")]
                is_right = (
                    path.startswith("/v1/")
                    and set(re.findall(r"\{([^}]*)\}", path)) <= plain
                    and shape not in seen
                    and rule.body == ("" if verb == "get" else "*")
                    and has_name
                    and (verb == "get")
                    == (method.name.startswith(READS) and not method.name.startswith("Preview"))
                )
                seen.add(shape)
                wrong += [] if is_right else [f"{name}: {verb} {path}"]
    return wrong


def test_every_rpc_of_callers_has_one_path_of_its_own_and_its_name(protos: list[FileDescriptorProto]) -> None:
    assert _wrong_paths(protos) == []


def test_protos_that_break_the_rules_are_caught(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.proto").write_text(
        """
        syntax = "proto3";
        package purser.a.v1;
        import "google/api/annotations.proto";
        // Does things.
        service Thing {
          rpc Buy(BuyRequest) returns (BuyResponse) {
            option (google.api.http) = { post: "/v1/{price}:buy" body: "*" };
          }
          // Sells. Errors: NO_BUYER, GONE_AWAY (NOT_FOUND).
          rpc Sell(BuyRequest) returns (BuyResponse);
        }
        // Asks.
        message BuyRequest { double price = 1; }
        // Answers.
        message BuyResponse {}
        """
    )
    files = _compiled(tmp_path, tmp_path / "all.binpb")

    assert _uncommented(files) == ["purser.a.v1.BuyRequest.price", "purser.a.v1.Thing.Buy"]
    assert _wrong_shapes(files) == [
        "a/b.proto: package purser.a.v1 is not its path",
        "a/b.proto: BuyRequest.price is a float",
        "a/b.proto: BuyRequest has no request_id",
        "a/b.proto: Sell has not a request and a response of its own",
    ]
    assert _wrong_paths(files) == [
        "purser.a.v1.Thing/Buy: post /v1/{price}:buy",
        "purser.a.v1.Thing/Sell: None ",
    ]
    assert _promises(files, "a") == {("NO_BUYER", "NOT_FOUND"), ("GONE_AWAY", "NOT_FOUND")}
