// Small charts as SVG. Colour is never the only difference between two series.

import { draw, make, number, percent } from "./dom.js";

// Narrower on a phone, so that the words keep their size.
const WIDTH = matchMedia("(max-width: 46rem)").matches ? 340 : 520;
const HEIGHT = 230;
const EDGE = { left: 48, right: 14, top: 12, bottom: 34 };

function ticks(low, high, count = 5) {
  const span = high - low || 1;
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => span / one <= count + 1e-9);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9 * span; value += step) found.push(value || 0);
  return found;
}

function frame(label, x, y, { xTicks, yTicks, xText, yText, xTitle }) {
  const bottom = HEIGHT - EDGE.bottom;
  return draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, class: "chart" },
    yTicks.map((value) => [
      draw("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(value), y2: y(value), class: "rule" }),
      draw("text", { x: EDGE.left - 8, y: y(value) + 4, class: "end" }, yText(value)),
    ]).flat(),
    xTicks.map((value) => draw("text", { x: x(value), y: bottom + 17, class: "middle" }, xText(value))),
    draw("text", { x: (EDGE.left + WIDTH - EDGE.right) / 2, y: HEIGHT - 2, class: "middle title" }, xTitle),
  );
}

const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);

// Lines over the number of labels; series: [{name, values}], where null is a gap.
export function lines(label, at, series, xTitle) {
  const known = series.flatMap((one) => one.values).filter((value) => value !== null);
  const low = Math.max(0, Math.floor((Math.min(...known) - 0.02) * 20) / 20);
  const high = Math.min(1, Math.ceil((Math.max(...known) + 0.02) * 20) / 20);
  const [first, last] = at.length > 1 ? [at[0], at.at(-1)] : [at[0] - 1, at[0] + 1];
  const x = scale(first, last, EDGE.left + 8, WIDTH - EDGE.right - 8);
  const y = scale(low, high, HEIGHT - EDGE.bottom, EDGE.top);
  const svg = frame(label, x, y, {
    xTicks: ticks(first, last).filter((value) => at.length > 1 || value === at[0]),
    yTicks: ticks(low, high),
    xText: number,
    yText: (value) => `${Math.round(100 * value)} %`,
    xTitle,
  });
  series.forEach((one, turn) => {
    const points = one.values.map((value, place) => (value === null ? null : [x(at[place]), y(value)])).filter(Boolean);
    svg.append(
      draw("polyline", { points: points.map((point) => point.join(",")).join(" "), class: `series s${turn}` }),
      ...points.map(([px, py], place) => mark(turn, px, py, `${one.name}: ${percent(one.values[place])}`)),
    );
  });
  return [svg, legend(series.map((one) => one.name))];
}

function mark(turn, x, y, words) {
  const shape =
    turn === 0
      ? draw("circle", { cx: x, cy: y, r: 3.5, class: "mark0" })
      : draw("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7, class: "mark1" });
  shape.append(draw("title", {}, words));
  return shape;
}

function legend(names) {
  return make(
    "ul",
    { class: "legend" },
    names.map((name, turn) =>
      make("li", {}, draw("svg", { viewBox: "0 0 24 12", width: 24, height: 12, "aria-hidden": "true" },
        draw("line", { x1: 0, x2: 24, y1: 6, y2: 6, class: `series s${turn}` }), mark(turn, 12, 6, "")), name),
    ),
  );
}

// Bars between edges.
export function histogram(label, edges, counts, xTitle) {
  const most = Math.max(...counts, 1);
  const x = scale(edges[0], edges.at(-1), EDGE.left, WIDTH - EDGE.right);
  const y = scale(0, most, HEIGHT - EDGE.bottom, EDGE.top);
  const svg = frame(label, x, y, {
    xTicks: ticks(edges[0], edges.at(-1), 5),
    yTicks: ticks(0, most).filter(Number.isInteger),
    xText: (value) => String(Math.round(100 * value) / 100),
    yText: number,
    xTitle,
  });
  counts.forEach((count, place) => {
    if (!count) return;
    const [left, right] = [x(edges[place]), x(edges[place + 1])];
    const bar = draw("rect", { x: left + 1, width: right - left - 2, y: y(count), height: y(0) - y(count), rx: 2, class: "bar" });
    bar.append(draw("title", {}, `${edges[place].toFixed(2)} to ${edges[place + 1].toFixed(2)}: ${number(count)}`));
    svg.append(bar);
  });
  return [svg];
}

// One stacked bar a row: [{name, share}], where share is that of the first part.
export function shares(label, rows, parts) {
  const height = 26;
  const svg = draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height * rows.length + 4}`, role: "img", "aria-label": label, class: "chart" },
    rows.map((row, place) => {
      const top = place * height + 4;
      const split = scale(0, 1, 74, WIDTH - 60)(row.share);
      return [
        draw("text", { x: 64, y: top + 14, class: "end" }, row.name),
        draw("rect", { x: 74, y: top, width: Math.max(split - 74, 0), height: 18, class: "bar" }),
        draw("rect", { x: split, y: top, width: Math.max(WIDTH - 60 - split, 0), height: 18, class: "bar other" }),
        draw("text", { x: WIDTH - 52, y: top + 14 }, `${Math.round(100 * row.share)} %`),
      ];
    }).flat(),
  );
  const key = make("ul", { class: "legend" }, parts.map((name, turn) =>
    make("li", {}, draw("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, draw("rect", { width: 14, height: 14, class: turn ? "bar other" : "bar" })), name)));
  return [svg, key];
}
