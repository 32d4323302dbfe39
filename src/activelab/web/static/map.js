// The pool as points on a canvas: coloured, framed by mouse, finger or keys.

import { $, make, number } from "./dom.js";

// Ten colours that differ in hue and lightness, on light and on dark; further classes share the grey.
const LIGHT = ["#1d5c7d", "#c2571a", "#2e7d4f", "#9a3b8f", "#8a6d00", "#c0392b", "#4a4fb5", "#0f8a8a", "#7a4a2b", "#b0508a"];
const DARK = ["#8cc7e6", "#f0a06a", "#84d3a0", "#e29bd9", "#e3cb5c", "#f59a90", "#a9adf7", "#6fd6d6", "#d0a27f", "#f0a3cc"];
const EDGE = 12; // pixels around the points

// Draws the points, and calls `choose` with the numbers of those in a frame. What it returns: fit(ids) says which
// examples a search has found; null for all.
export function showMap(points, classes, choose) {
  const canvas = $("map");
  const size = points.x.length;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let fits = null;
  let frame = null; // left, top, right, bottom, from 0 to 1000

  if (points.label.every((one) => one < 0)) {
    $("colour").value = "quality";
    $("colour").parentElement.hidden = true;
  }

  const style = (name) => getComputedStyle(canvas).getPropertyValue(name).trim();
  const place = (id) => [EDGE + (points.x[id] / 1000) * (canvas.clientWidth - 2 * EDGE), EDGE + (points.y[id] / 1000) * (canvas.clientHeight - 2 * EDGE)];
  const scale = (value, width) => Math.min(Math.max(((value - EDGE) / (width - 2 * EDGE)) * 1000, 0), 1000);

  function coloured() {
    const colours = dark.matches ? DARK : LIGHT;
    const grey = style("--quiet");
    const none = style("--edge");
    if ($("colour").value === "label") {
      const shown = classes.slice(0, colours.length);
      const others = classes.length > shown.length ? [["other classes", grey]] : [];
      legend([...shown.map((name, code) => [name, colours[code]]), ...others, ["no label", none]]);
      return (id) => (points.label[id] < 0 ? none : (colours[points.label[id]] ?? grey));
    }
    // The less sure, the warmer.
    const steps = [[50, colours[5]], [70, colours[1]], [90, colours[4]], [98, colours[2]], [101, colours[0]]];
    legend([["below 0.5", steps[0][1]], ["to 0.7", steps[1][1]], ["to 0.9", steps[2][1]], ["to 0.98", steps[3][1]], ["above", steps[4][1]], ["no label", none]]);
    return (id) => (points.quality[id] < 0 ? none : steps.find(([most]) => points.quality[id] < most)[1]);
  }

  function legend(entries) {
    $("map-legend").replaceChildren(
      ...entries.map(([name, colour]) => {
        const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
        swatch.style.backgroundColor = colour;
        return make("li", {}, swatch, name);
      }),
    );
  }

  function draw() {
    const ratio = devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const colour = coloured();
    const radius = size > 20_000 ? 1 : size > 2_000 ? 2 : 3.5;
    // Each colour is one path; what does not fit lies below.
    const paths = new Map([[style("--edge"), new Path2D()]]); // those without a label below the others
    for (let id = 0; id < size; id++) {
      const of = fits !== null && !fits.has(id) ? "" : colour(id);
      if (!paths.has(of)) paths.set(of, new Path2D());
      const [x, y] = place(id);
      if (radius < 2) paths.get(of).rect(x - 1, y - 1, 2, 2);
      else {
        paths.get(of).moveTo(x + radius, y);
        paths.get(of).arc(x, y, radius, 0, 2 * Math.PI);
      }
    }
    const below = paths.get("");
    paths.delete("");
    if (below) {
      pen.globalAlpha = 0.35;
      pen.fillStyle = style("--line");
      pen.fill(below);
    }
    pen.globalAlpha = 0.8;
    for (const [of, path] of paths) {
      pen.fillStyle = of;
      pen.fill(path);
    }
    pen.globalAlpha = 1;
    kept = pen.getImageData(0, 0, canvas.width, canvas.height);
    framed();
  }

  let kept = null; // the points without the frame, which moves often
  function framed() {
    const pen = canvas.getContext("2d");
    if (kept) pen.putImageData(kept, 0, 0);
    if (!frame) return;
    const [left, top, right, bottom] = frame.map((value, side) => EDGE + (value / 1000) * ((side % 2 ? canvas.clientHeight : canvas.clientWidth) - 2 * EDGE));
    pen.strokeStyle = style("--ink");
    pen.lineWidth = 2;
    pen.strokeRect(left, top, right - left, bottom - top);
  }

  function inside() {
    const found = [];
    const [left, top, right, bottom] = frame;
    for (let id = 0; id < size; id++) {
      if ((fits === null || fits.has(id)) && points.x[id] >= left && points.x[id] <= right && points.y[id] >= top && points.y[id] <= bottom) found.push(id);
    }
    return found;
  }

  function tell() {
    $("map-inside").textContent = frame ? `${number(inside().length)} inside the frame` : "";
  }

  let from = null;
  const spot = (event) => [scale(event.offsetX, canvas.clientWidth), scale(event.offsetY, canvas.clientHeight)];
  canvas.addEventListener("pointerdown", (event) => {
    from = spot(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = spot(event);
    frame = [Math.min(x, from[0]), Math.min(y, from[1]), Math.max(x, from[0]), Math.max(y, from[1])];
    framed();
  });
  canvas.addEventListener("pointerup", () => {
    from = null;
    if (!frame) return;
    tell();
    choose(inside());
  });
  canvas.addEventListener("pointercancel", () => {
    from = null;
  });

  canvas.addEventListener("keydown", (event) => {
    const by = 20;
    const moves = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] };
    const grows = { "+": by, "=": by, "-": -by };
    if (event.key === "Escape") frame = null;
    else if (event.key === "Enter" && frame) choose(inside());
    else if (moves[event.key] || grows[event.key]) {
      frame ??= [450, 450, 550, 550];
      const [dx, dy] = moves[event.key] ?? [0, 0];
      const grow = grows[event.key] ?? 0;
      frame = [frame[0] + dx - grow, frame[1] + dy - grow, frame[2] + dx + grow, frame[3] + dy + grow];
      if (frame[2] - frame[0] < 10) frame = [frame[0] - by, frame[1] - by, frame[2] + by, frame[3] + by];
    } else return;
    event.preventDefault();
    event.stopPropagation();
    framed();
    tell();
  });

  $("colour").addEventListener("change", draw);
  dark.addEventListener("change", draw);
  new ResizeObserver(draw).observe(canvas);

  return {
    fit(ids) {
      fits = ids === null ? null : new Set(ids);
      draw();
      tell();
    },
  };
}
