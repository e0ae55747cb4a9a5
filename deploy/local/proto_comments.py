# SPDX-License-Identifier: Apache-2.0
"""Writes the comments of the protos into one file, by full name, for the help of the command line.

`python -m deploy.local.proto_comments DESCRIPTORS FILE`, where DESCRIPTORS is a FileDescriptorSet with source info.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

Location = tuple[int, ...]
MESSAGES = FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER
ENUMS = FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER
SERVICES = FileDescriptorProto.SERVICE_FIELD_NUMBER
FIELDS = DescriptorProto.FIELD_FIELD_NUMBER
VALUES = EnumDescriptorProto.VALUE_FIELD_NUMBER
METHODS = ServiceDescriptorProto.METHOD_FIELD_NUMBER


def comments(file: FileDescriptorProto) -> dict[str, str]:
    """Return the comments of a file's rpcs, fields and enum values, each as one line, by full name."""
    told = {tuple(one.path): " ".join(one.leading_comments.split()) for one in file.source_code_info.location}
    return {name: told[path] for path, name in _names(file) if told.get(path)}


def _names(file: FileDescriptorProto) -> Iterator[tuple[Location, str]]:
    for at, service in enumerate(file.service):
        for number, method in enumerate(service.method):
            yield (SERVICES, at, METHODS, number), f"{file.package}.{service.name}.{method.name}"
    for at, enum in enumerate(file.enum_type):
        for number, value in enumerate(enum.value):
            yield (ENUMS, at, VALUES, number), f"{file.package}.{enum.name}.{value.name}"
    # Responses are shown without their comments.
    for at, message in enumerate(file.message_type):
        if not message.name.endswith("Response"):
            for number, field in enumerate(message.field):
                yield (MESSAGES, at, FIELDS, number), f"{file.package}.{message.name}.{field.name}"


def main(descriptors: str, into: str) -> None:
    """Write the comments of all files of a FileDescriptorSet."""
    files = FileDescriptorSet.FromString(Path(descriptors).read_bytes()).file
    found = {
        name: text
        for file in files
        if file.package.startswith("purser.")
        for name, text in comments(file).items()
    }
    Path(into).write_text(json.dumps(found, indent=0, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
