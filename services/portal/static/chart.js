// SPDX-License-Identifier: Apache-2.0
// Draws bars from a table: <div data-chart-of="ID"> beside <table id="ID"> whose rows have
// data-value, data-label (below the bar) and data-reading (shown in ID-reading while the pointer is on the bar).
"use strict";

(() => {
  const HEIGHT = 200;
  const drawn = new WeakMap();

  const colour = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

  const draw = (place) => {
    const rows = [...document.querySelectorAll("#" + CSS.escape(place.dataset.chartOf) + " tbody tr")];
    const labels = rows.map((row) => row.dataset.label);
    const values = rows.map((row) => Number(row.dataset.value));
    const short = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact", maximumFractionDigits: 1 });
    const reading = document.getElementById(place.dataset.chartOf + "-reading");
    const axis = { stroke: colour(place, "--purser-muted"), grid: { stroke: colour(place, "--purser-line"), width: 1 }, ticks: { show: false }, font: "12px " + getComputedStyle(place).fontFamily };
    const options = {
      width: Math.max(200, place.clientWidth), height: HEIGHT,
      scales: { x: { time: false, range: [-0.6, rows.length - 0.4] }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      legend: { show: false },
      hooks: { setCursor: [(u) => { if (reading) reading.textContent = rows[u.cursor.idx]?.dataset.reading ?? "\u00a0"; }] },
      axes: [
        { ...axis, grid: { show: false }, size: 30, space: 64, incrs: [1, 2, 3, 4, 6, 7, 12, 14, 24, 30, 60], values: (u, splits) => splits.map((at) => labels[at] ?? "") },
        { ...axis, size: 56, values: (u, splits) => splits.map((one) => short.format(one)) },
      ],
      series: [
        {},
        { fill: colour(place, "--purser-accent"), stroke: colour(place, "--purser-accent"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 40], radius: 0.15 }) },
      ],
    };
    drawn.get(place)?.destroy();
    drawn.set(place, new uPlot(options, [values.map((_, at) => at), values], place));
  };

  const drawAll = () => document.querySelectorAll("[data-chart-of]").forEach(draw);
  drawAll();
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.target.querySelector?.("[data-chart-of]") || event.target.closest?.("#chart")) drawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let waiting = 0;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 100); });
})();
