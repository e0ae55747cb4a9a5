# SPDX-License-Identifier: Apache-2.0
"""A catalog file: YAML, read so that no digit is lost and no mistake is overlooked.

Source of its form: libs/purser_cli/README.md, "catalog".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from purser_cli.catalog.kinds import KINDS, RATE_CARDS, REFERENCES
from purser_cli.exits import Failed
from purser_cli.rpc.requests import FILE_BYTES_MAX

RATES, ARCHIVED, RENAMED_FROM = "rates", "archived", "renamed_from"
Resolve = Callable[[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing of a file. fields: its other keys. where: its place, such as products[2]."""

    name: str
    fields: Mapping[str, Any]
    where: str
    rates: list[Mapping[str, Any]] = field(default_factory=list)
    is_archived: bool = False
    renamed_from: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file, by section, in order."""

    sections: Mapping[str, list[Item]]

    def names(self, section: str) -> set[str]:
        """Return the names in a section that are for use."""
        return {item.name for item in self.sections[section] if not item.is_archived}


def read(path: Path) -> Document:
    """Return the content of a file. Raises Failed with everything that is wrong with its form."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Failed(f"{path} is larger than {FILE_BYTES_MAX:,} bytes")
        told = yaml.load(path.read_text(), Loader=_Texts)
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{path} cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Failed(f"{path} is not YAML: {error}") from None
    problems: list[str] = []
    document = _document({} if told in (None, "") else told, problems)
    if problems:
        raise Failed("\n  ".join([f"{path} is wrong:", *problems]))
    return document


def resolved(value: Any, resolve: Resolve) -> Any:
    """Return plain values with the names of other things replaced by their ids. resolve: (section, name) → id."""
    if isinstance(value, list):
        return [resolved(one, resolve) for one in value]
    if not isinstance(value, Mapping):
        return value
    made: dict[str, Any] = {}
    for key, one in value.items():
        if key in REFERENCES and isinstance(one, str):
            section, name = REFERENCES[key]
            made[name] = resolve(section, one)
        else:
            made[key] = resolved(one, resolve)
    return made


class _Texts(yaml.BaseLoader):
    """Reads every scalar as the text that is written, and refuses a key that occurs twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        made = super().construct_mapping(node, deep=deep)
        if len(made) < len(node.value):
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} occurs twice", key.start_mark
                    )
                seen.add(key.value)
        return made


def _document(told: Any, problems: list[str]) -> Document:
    if not isinstance(told, dict):
        problems.append("it must consist of sections: " + ", ".join(KINDS))
        told = {}
    problems += [
        f"there is no section {key!r}; there are {', '.join(KINDS)}" for key in told if key not in KINDS
    ]
    sections: dict[str, list[Item]] = {}
    for section in KINDS:
        sections[section] = list(_items(section, told.get(section) or [], problems))
        names = [item.name for item in sections[section]]
        problems += [
            f"{section}: {name!r} occurs twice" for name in sorted(set(names)) if names.count(name) > 1
        ]
    return Document(sections)


def _items(section: str, told: Any, problems: list[str]) -> Iterator[Item]:
    if not isinstance(told, list):
        problems.append(f"{section}: must be a list")
        return
    for number, one in enumerate(told):
        where = f"{section}[{number}]"
        if not isinstance(one, dict) or not isinstance(one.get("name"), str) or not one["name"]:
            problems.append(f"{where}: must have a name")
            continue
        fields = {key: value for key, value in one.items() if value not in ("", None)}
        rates = fields.pop(RATES, []) if section == RATE_CARDS else []
        if not isinstance(rates, list) or not all(isinstance(rate, dict) for rate in rates):
            problems.append(f"{where}.rates: must be a list of rates")
            rates = []
        is_archived = (
            str(fields.pop(ARCHIVED, "false")).lower() == "true" if KINDS[section].archive else False
        )
        yield Item(
            name=fields.pop("name"),
            where=where,
            rates=rates,
            is_archived=is_archived,
            renamed_from=fields.pop(RENAMED_FROM, "") if section == "products" else "",
            fields=fields,
        )
