# SPDX-License-Identifier: Apache-2.0
"""Requests that once got an answer that no call may get. Each is sent again in every run.

Ids that the mesh assigned differ from run to run, so a text that was learnt is stored as the name of its field
("$customer_id") and becomes a known text of that field again.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from tests.fuzz.knowledge import MEANINGS, Knowledge
from tests.fuzz.methods import Method
from tests.fuzz.requests import AUTHORIZATION, BAD_AUTHORIZATIONS, Attempt

FOLDER = Path(__file__).parent / "corpus"


def save(attempt: Attempt, fault: str, knowledge: Knowledge, folder: Path = FOLDER) -> Path:
    """Store an attempt; returns its file, whose name tells its method and content."""
    bodies = [_body_to_json(attempt.method, body, knowledge) for body in attempt.bodies]
    content = {
        "service": attempt.method.service,
        "path": attempt.method.path,
        "fault": fault,
        "metadata": [
            [key, value.hex() if isinstance(value, bytes) else value]
            for key, value in attempt.metadata
            if key != AUTHORIZATION or value in BAD_AUTHORIZATIONS  # a good token ends with the run
        ],
        "bodies": bodies,
    }
    text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
    name = f"{attempt.method.name}-{hashlib.sha256(json.dumps(bodies).encode()).hexdigest()[:10]}.json"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def attempts(methods: Sequence[Method], knowledge: Knowledge, folder: Path = FOLDER) -> Iterator[Attempt]:
    """Yield the stored attempts of the methods that still exist."""
    known = {(method.service, method.path): method for method in methods}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        method = known.get((content["service"], content["path"]))
        if method is not None:
            yield Attempt(
                method=method,
                kind=f"corpus {path.name}",
                bodies=tuple(_body_from_json(method, body, knowledge) for body in content["bodies"]),
                metadata=tuple(
                    (key, bytes.fromhex(value) if key.endswith("-bin") else value)
                    for key, value in content["metadata"]
                ),
            )


def _body_to_json(method: Method, body: bytes, knowledge: Knowledge) -> Any:
    try:
        message = method.request_type.FromString(body)
    except DecodeError:
        return {"hex": body.hex()}
    if message.SerializeToString() != body:
        return {"hex": body.hex()}
    try:
        said = json_format.MessageToDict(message, preserving_proto_field_name=True)
    except ValueError:  # a time that JSON cannot express
        return {"hex": body.hex()}
    return _named(said, "", knowledge)


def _named(said: Any, name: str, knowledge: Knowledge) -> Any:
    if isinstance(said, Mapping):
        return {key: _named(value, key, knowledge) for key, value in said.items()}
    if isinstance(said, list):
        return [_named(value, name, knowledge) for value in said]
    if isinstance(said, str) and name.endswith(("_id", "_ids", "customer")) and name != "request_id":
        for meaning in MEANINGS.get(name, (name, name.removesuffix("s"))):
            if said in knowledge.texts.get(meaning, ()):
                return f"${meaning}"
    return said


def _body_from_json(method: Method, body: Mapping[str, Any], knowledge: Knowledge) -> bytes:
    if set(body) == {"hex"}:
        return bytes.fromhex(body["hex"])
    message = json_format.ParseDict(_known(body, knowledge), method.request_type())
    return bytes(message.SerializeToString())


def _known(said: Any, knowledge: Knowledge) -> Any:
    if isinstance(said, Mapping):
        return {key: _known(value, knowledge) for key, value in said.items()}
    if isinstance(said, list):
        return [_known(value, knowledge) for value in said]
    if isinstance(said, str) and said.startswith("$"):
        return knowledge.text(random.Random(0), said[1:]) or said
    return said
