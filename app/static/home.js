// Draws the charts of the home page with uPlot, anew whenever their part of the page came anew or its colours changed.
// Each chart's numbers stand in the page, and beside it as a table: without this script nothing is lost.
"use strict";
(() => {
  const HEIGHT_PX = 180;
  const turkish = document.documentElement.lang === "tr";
  const zone = document.body.dataset.zone; // the clock of all other times on the page
  const drawn = new Map();
  const shades = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function clock(seconds) {
    return new Date(seconds * 1000).toLocaleTimeString(turkish ? "tr" : "en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
  }
  function number(value) {
    return value === null || value === undefined ? "–" : value.toLocaleString(turkish ? "tr" : "en");
  }
  function bar(count) {
    return count || null; // no bar for nothing
  }
  function line(label, stroke, more) {
    return { label, stroke, width: 2, points: { show: false }, value: (_, value) => number(value), ...more };
  }
  // Bars for what is counted (failures are hatched by a pattern of their own colour on top), lines for what is measured.
  function series(chart) {
    const { done, failed, wait, longest } = chart.dataset;
    const bars = (align) => uPlot.paths.bars({ size: [0.4, 40], align });
    if (chart.dataset.chart === "ends") {
      return [
        line(done, colour("--good"), { fill: colour("--good") + "99", paths: bars(-1) }),
        line(failed, colour("--bad"), { fill: colour("--bad") + "cc", paths: bars(1) }),
      ];
    }
    return [
      line(wait, colour("--busy"), { spanGaps: true, points: { show: true, size: 6 } }),
      line(longest, colour("--warn"), { spanGaps: true, dash: [6, 4], points: { show: true, size: 4 } }),
    ];
  }
  function draw(chart) {
    const values = JSON.parse(chart.dataset.values);
    const data = chart.dataset.chart === "ends" ? [values.at, values.done.map(bar), values.failed.map(bar)] : [values.at, values.wait, values.longest];
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--rule"), width: 1 }, ticks: { show: false } };
    const step = values.at[1] - values.at[0];
    const scales = { x: { time: true, range: (_, low, high) => [low - step / 2, high + step / 2] }, y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } };
    const options = {
      tzDate: at => uPlot.tzDate(new Date(at * 1000), zone), title: chart.dataset.title, width: chart.clientWidth, height: HEIGHT_PX, scales,
      cursor: { drag: { x: false, y: false }, y: false },
      axes: [{ ...axis, size: 28, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 50, values: (_, ticks) => ticks.map(t => Number.isInteger(t) ? number(t) : "") }],
      series: [{ label: chart.dataset.time, value: (_, at) => at === null ? "–" : clock(at) }, ...series(chart)],
    };
    chart.replaceChildren();
    drawn.set(chart, new uPlot(options, data, chart));
  }
  function all() {
    for (const [chart, plot] of drawn) if (!chart.isConnected) { plot.destroy(); drawn.delete(chart); }
    document.querySelectorAll(".chart").forEach(draw);
  }
  let resizing = 0;
  window.addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => drawn.forEach((plot, chart) => plot.setSize({ width: chart.clientWidth, height: HEIGHT_PX })), 150);
  });
  shades.addEventListener("change", all);
  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("htmx:afterSwap", event => { if (event.target.querySelector?.(".chart")) all(); });
})();
