// Charts come drawn from the server, as trees of SVG elements; here they are put together.

import { draw, make, number } from "./dom.js";

const build = ({ tag, attributes, text, children }) => draw(tag, attributes, text, children.map(build));

// Narrower on a phone, so that the words keep their size.
export const width = matchMedia("(max-width: 46rem)").matches ? "narrow" : "wide";

export function show({ drawing, legend }) {
  const names = legend.map((one) => make("li", {}, build(one.drawing), one.name));
  return [build(drawing), names.length ? make("ul", { class: "legend" }, names) : null].filter(Boolean);
}

export const week = (days) => days.slice(-7).reduce((all, one) => all + one, 0);

// Labels of the last days, one bar each.
export function spark(days) {
  const most = Math.max(...days, 1);
  const height = (count) => (count ? 2 + (22 * count) / most : 0);
  const bars = days.map((count, day) => draw("rect", { x: 6 * day, y: 24 - height(count), width: 5, height: height(count) }));
  return draw("svg", { class: "spark", viewBox: "0 0 84 24", role: "img", "aria-label": `${number(days.at(-1))} today, ${number(week(days))} in seven days` }, bars);
}

// A matrix of counts by class, without the classes that do not occur; null if it is empty.
export function confusion(title, one) {
  if (!one || !one.counts.flat().some(Boolean)) return null;
  const there = one.classes.map((_, code) => code).filter((code) => one.counts[code].some(Boolean) || one.counts.some((row) => row[code]));
  const cell = (row, column) => {
    const count = one.counts[row][column];
    return make("td", { class: `numbers ${count ? (row === column ? "right" : "wrong") : "quiet"}` }, count ? number(count) : "·");
  };
  return [
    make("h3", {}, title),
    make(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-label": title },
      make(
        "table",
        { class: "grid confusion" },
        make("thead", {}, make("tr", {}, make("td", {}), there.map((code) => make("th", { scope: "col", class: "numbers" }, one.classes[code])))),
        make("tbody", {}, there.map((row) => make("tr", {}, make("th", { scope: "row" }, one.classes[row]), there.map((column) => cell(row, column))))),
      ),
    ),
  ];
}
