# SPDX-License-Identifier: Apache-2.0
"""Draws the measured throughput and latency next to those of the echo, as one PNG for the README."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from tests.perf.goals import NotMeasured
from tests.perf.results import Results

WIDTH, HEIGHT = 1_600, 1_000
# It is drawn larger by this factor and then scaled down, which smooths edges and letters.
OVERSAMPLING = 2
MARGIN = 60
PAPER, INK, FAINT, GRID = "#ffffff", "#1f2430", "#6b7280", "#e5e7eb"
ECHO, AUTHORIZE, DEBIT = "#9aa3b2", "#2f6fde", "#12a594"
COLOURS = {"echo": ECHO, "Authorize": AUTHORIZE, "Debit": DEBIT}
TICKS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of height `value`; with a `tail` it continues to there in a lighter colour. text: the label above it."""

    value: float
    colour: str
    text: str = ""
    tail: float = 0.0

    @property
    def top(self) -> float:
        return max(self.value, self.tail)


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    bars: Sequence[Bar]


def draw(results: Results, into: Path) -> None:
    """Draw latest.json. Raises NotMeasured when it contains nothing to draw."""
    panels = (
        ("Calls per second, 64 in flight", _throughput(results), (0, 0, 0.60, 0.48)),
        ("Debits per second, one by one and in batches of 500", _batches(results), (0.60, 0, 1, 0.48)),
        ("Latency with 1 in flight, ms: p50, and p99 lighter", _latency(results, "P4"), (0, 0.52, 0.5, 1)),
        ("Latency with 64 in flight, ms: p50, and p99 lighter", _latency(results, "P5"), (0.5, 0.52, 1, 1)),
    )
    if not any(groups for _, groups, _ in panels):
        raise NotMeasured("nothing that could be drawn is measured yet; run: make bench")
    sheet = _Sheet()
    sheet.text((MARGIN, 28), "Purser's gate beside a bare gRPC echo", size=34)
    sheet.text((MARGIN, 74), _where(results), size=17, colour=FAINT)
    sheet.legend(COLOURS)
    for title, groups, (left, top, right, bottom) in panels:
        inner_width, inner_height = WIDTH - 2 * MARGIN, HEIGHT - 130 - 30
        sheet.panel(
            title,
            groups,
            (
                MARGIN + left * inner_width + (30 if left else 0),
                130 + top * inner_height,
                MARGIN + right * inner_width - (0 if right == 1 else 30),
                130 + bottom * inner_height,
            ),
        )
    sheet.save(into)


def _throughput(results: Results) -> list[Group]:
    groups = []
    for label, name, where in (
        ("one hot pool", "P1", ""),
        ("1,000 customers", "P2", " spread"),
        ("commits 1 ms slower", "P3", ""),
        ("two replicas, one pool", "P9", ""),
    ):
        series = _series(results, name)
        if not series:
            continue
        echo = series["echo"]["calls_per_second"]
        bars = [Bar(echo, ECHO, f"{echo:,.0f}")]
        for call, colour in (("authorize", AUTHORIZE), ("debit", DEBIT)):
            value = series[f"{call}{where}"]["calls_per_second"]
            share = results[name]["detail"]["ratios"][call]["median"]
            bars.append(Bar(value, colour, f"{value:,.0f}\n{share:.0%}"))
        groups.append(Group(label, bars))
    return groups


def _batches(results: Results) -> list[Group]:
    series = _series(results, "P7")
    if not series:
        return []
    items = results["P7"]["detail"]["items"]
    groups = [Group("echo calls", [_counted(series["echo"]["calls_per_second"], ECHO)])]
    if single := _series(results, "P1"):
        groups.append(Group("Debit\none hot pool", [_counted(single["debit"]["calls_per_second"], DEBIT)]))
    for label, name in (("DebitBatch\none hot pool", "hot"), ("DebitBatch\n1,000 customers", "spread")):
        groups.append(Group(label, [_counted(series[name]["calls_per_second"] * items, DEBIT)]))
    return groups


def _latency(results: Results, name: str) -> list[Group]:
    series = _series(results, name)
    wanted = (("echo", "echo", ECHO), ("authorize", "Authorize", AUTHORIZE), ("debit", "Debit", DEBIT))
    return [
        Group(
            label,
            [
                Bar(
                    series[key]["p50_ms"],
                    colour,
                    f"{series[key]['p50_ms']:.3g} / {series[key]['p99_ms']:.3g}",
                    tail=series[key]["p99_ms"],
                )
            ],
        )
        for key, label, colour in wanted
        if key in series
    ]


def _counted(value: float, colour: str) -> Bar:
    return Bar(value, colour, f"{value:,.0f}")


def _series(results: Results, name: str) -> Mapping[str, Any]:
    """Return the series of a figure; empty when it was not measured."""
    series: Mapping[str, Any] = results.get(name, {}).get("detail", {}).get("series", {})
    return series


def _where(results: Results) -> str:
    here = next(
        result["detail"]["environment"] for result in results.values() if "environment" in result["detail"]
    )
    return (
        f"{here['cores']} cores ({here['cpu']}), shared by clients, servers and PostgreSQL"
        f" {here['postgresql']['server_version']} with fsync {here['postgresql']['fsync']};"
        f" Python {here['python']}, grpcio {here['grpcio']}; commit {here['commit']}, {here['time'][:10]}"
    )


class _Sheet:
    """The canvas, in pixels of the finished picture."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def save(self, into: Path) -> None:
        into.parent.mkdir(parents=True, exist_ok=True)
        small = self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        small.quantize(128).save(into, format="PNG", optimize=True)

    def text(
        self, at: tuple[float, float], text: str, *, size: int, colour: str = INK, anchor: str = "la"
    ) -> None:
        """anchor: as in Pillow: "la" means to the right and below, "ms" centred and above."""
        x, y = at
        font = ImageFont.load_default(size * OVERSAMPLING)
        self._draw.text((x * OVERSAMPLING, y * OVERSAMPLING), text, fill=colour, font=font, anchor=anchor)

    def rectangle(self, box: tuple[float, float, float, float], colour: str) -> None:
        left, top, right, bottom = (edge * OVERSAMPLING for edge in box)
        if bottom - top >= 1:
            self._draw.rectangle((left, top, right, bottom), fill=colour)

    def legend(self, colours: Mapping[str, str]) -> None:
        x = WIDTH - MARGIN - 330.0
        for name, colour in colours.items():
            self.rectangle((x, 38, x + 18, 56), colour)
            self.text((x + 26, 47), name, size=17, anchor="lm")
            x += 62 + 9 * len(name)

    def panel(self, title: str, groups: Sequence[Group], box: tuple[float, float, float, float]) -> None:
        """Draw bars from 0 up, group by group, under a title; or "not measured" when there are none."""
        left, top, right, bottom = box
        self.text((left, top), title, size=20)
        if not groups:
            self.text((left, top + 40), "not measured", size=17, colour=FAINT)
            return
        floor, ceiling = bottom - 50, top + 84
        highest = max(bar.top for group in groups for bar in group.bars)
        scale = (floor - ceiling) / highest
        for tick in _ticks(highest):
            y = floor - tick * scale
            self.rectangle((left + 56, y, right, y + 1), GRID)
            self.text((left + 48, y), f"{tick:,g}", size=14, colour=FAINT, anchor="rm")
        width = (right - left - 56) / len(groups)
        for number, group in enumerate(groups):
            start = left + 56 + number * width
            for line, text in enumerate(group.label.split("\n")):
                self.text((start + width / 2, floor + 12 + 19 * line), text, size=15, anchor="ma")
            self._bars(group.bars, start, width, floor, scale)

    def _bars(self, bars: Sequence[Bar], start: float, width: float, floor: float, scale: float) -> None:
        each = min(width * 0.84 / len(bars), 110)
        x = start + (width - each * len(bars)) / 2
        for bar in bars:
            self.rectangle((x + 3, floor - bar.top * scale, x + each - 3, floor), _lighter(bar.colour))
            self.rectangle((x + 3, floor - bar.value * scale, x + each - 3, floor), bar.colour)
            for line, text in enumerate(reversed(bar.text.split("\n"))):
                y = floor - bar.top * scale - 8 - 18 * line
                self.text((x + each / 2, y), text, size=14, colour=INK, anchor="ms")
            x += each


def _ticks(highest: float) -> Iterable[float]:
    """Return 0 and about four round numbers up to `highest`."""
    magnitude = 1.0
    while magnitude * 10 * 4 <= highest:
        magnitude *= 10
    while magnitude * 4 > highest:
        magnitude /= 10
    step = next(magnitude * factor for factor in TICKS if highest / (magnitude * factor) <= 5)
    return [round(number * step, 10) for number in range(int(highest / step) + 1)]


def _lighter(colour: str) -> str:
    """Return the colour two thirds of the way to the background."""
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{255 - (255 - channel) // 3:02x}" for channel in channels)
