// Charts come drawn from the server, as trees of SVG elements; here they are put together.

import { draw, make } from "./dom.js";

const build = ({ tag, attributes, text, children }) => draw(tag, attributes, text, children.map(build));

// Narrower on a phone, so that the words keep their size.
export const width = matchMedia("(max-width: 46rem)").matches ? "narrow" : "wide";

export function show({ drawing, legend }) {
  const names = legend.map((one) => make("li", {}, build(one.drawing), one.name));
  return [build(drawing), names.length ? make("ul", { class: "legend" }, names) : null].filter(Boolean);
}
