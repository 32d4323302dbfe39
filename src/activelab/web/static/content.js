// What there is to see of an example: text, turns of a chat, image, audio, video and fields, on every page alike.

import { at, page } from "./api.js";
import { $, decimal, make, percent } from "./dom.js";

export function showContent(content) {
  const parts = [];
  if (content.image) parts.push(viewer(content.image));
  if (content.audio) parts.push(player("audio", content.audio));
  if (content.video) parts.push(player("video", content.video));
  if (content.text !== null) parts.push(prose(content.text, content.shown));
  if (content.turns.length) {
    const said = (one) => make("li", { class: "turn", "data-role": one.role }, make("b", {}, one.role), prose(one.text, one.shown));
    parts.push(make("ol", { class: "turns" }, content.turns.map(said)));
  }
  if (content.fields.length) {
    const rows = content.fields.map((field) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, field.name),
        make("td", { dir: "auto", class: typeof field.value === "number" ? "numbers" : null }, field.shown ? prose(field.value, field.shown, "") : plain(field.value)),
      ),
    );
    parts.push(make("table", { class: "fields" }, make("tbody", {}, rows)));
  }
  return parts;
}

function plain(value) {
  if (value === null || value === "") return make("span", { class: "quiet" }, "missing");
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

// Elements come as trees from the server, which allows a few kinds alone.
export const built = (nodes, root) =>
  nodes.map((one) => {
    if (typeof one === "string") return one;
    if (one.tag === "img") return picture(one.attributes.src, one.attributes.alt, root);
    const element = make(one.tag, one.attributes, built(one.children, root));
    return one.tag === "table" || one.tag === "pre" ? make("div", { class: "wide", tabindex: 0, role: "group", "aria-label": one.tag === "pre" ? "Code" : "Table" }, element) : element;
  });

function prose(text, nodes, kind = "text") {
  const rich = nodes?.some((one) => typeof one !== "string" && one.tag !== "mark");
  return make("div", { class: `${kind} ${rich ? "rich" : "as-is"}`, dir: "auto" }, nodes ? built(nodes) : text);
}

// How it begins, in words: for lists, and for those who listen.
export function begin(content) {
  const flat = (nodes) => nodes.map((one) => (typeof one === "string" ? one : flat(one.children))).join("");
  const words = (one) => (one.shown ? flat(one.shown) : one.text);
  if (content.text !== null) return words(content);
  if (content.turns.length) return content.turns.map((one) => `${one.role}: ${words(one)}`).join(" ");
  if (content.fields.length) return content.fields.map((one) => `${one.name} ${one.value ?? "missing"}`).join(", ");
  return content.image ? "an image" : content.audio ? "audio" : content.video ? "a video" : "";
}

// ------------------------------------------------------------ what cannot be shown

// A file that failed is looked at again: it waits where nobody answered, and is lost where the server says why.
function load(element, path, lost, root) {
  const address = at(path, root);
  let wait = 2;
  const again = () => {
    wait = Math.min(2 * wait, 60);
    setTimeout(() => (element.src = address), 500 * wait);
  };
  element.addEventListener("error", async () => {
    try {
      const reply = await fetch(address, { headers: { Range: "bytes=0-0" } });
      if (reply.status === 401 || reply.status === 429 || reply.status >= 500) again();
      else lost(reply.ok ? "" : (await reply.json()).message);
    } catch {
      again();
    }
  });
  element.src = address;
}

// Figures stay where they are, so that what failed before it was shown is told when it is.
function figure(kind, element, address, ...tools) {
  const box = make("figure", { class: kind === "image" ? "viewer" : "player" }, element, ...tools);
  load(element.matches("audio, video") ? element : element.firstChild, address, (why) => {
    box.className = "broken";
    box.replaceChildren(make("p", { class: "problem" }, `The ${kind} cannot be shown${why ? `: ${why.replace(/\.$/, "")}` : ""}. Skip this example.`));
    box.dispatchEvent(new CustomEvent("broken", { bubbles: true }));
  });
  return box;
}

// Whether a part of an example cannot be shown, so that it can be skipped only.
export const isBroken = (parts) => parts.some((one) => one.matches(".broken"));

// A small picture, in a list or in a text.
export function picture(address, alt = "", root = undefined) {
  const image = make("img", { class: "image", alt });
  load(image, address, () => image.replaceWith(make("span", { class: "problem" }, alt ? `“${alt}”: the picture cannot be shown` : "no picture")), root);
  return image;
}

// ------------------------------------------------------------ images

const light = { brightness: 1, contrast: 1 }; // kept from image to image: scans are dark by the hundred

function viewer(address) {
  const image = make("img", { class: "image", alt: "The image to label", draggable: "false" });
  const pane = make("div", { class: "pane", tabindex: 0, role: "group", "aria-label": "Image. Plus and minus zoom, arrows move, Shift and 0 fits, Shift and 1 shows it pixel by pixel" }, image);
  const shown = make("output", { class: "numbers" });
  const sliders = Object.keys(light).map((name) => {
    const slider = make("input", { type: "range", min: 0.2, max: 4, step: 0.1, oninput: () => lit(name, Number(slider.value)), onpointerup: () => slider.blur() });
    return [name, slider];
  });
  const button = (words, title, onclick) => make("button", { type: "button", title, "aria-label": title, onclick }, words);
  const tools = make(
    "div",
    { class: "tools", role: "group", "aria-label": "Zoom and light" },
    button("−", "Smaller", () => zoom(scale() / 1.5)),
    shown,
    button("+", "Larger", () => zoom(scale() * 1.5)),
    button("1:1", "Pixel by pixel", () => zoom(1)),
    button("Fit", "Whole image", () => fit()),
    make(
      "details",
      {},
      make("summary", {}, "Light"),
      make(
        "div",
        { class: "light" },
        sliders.map(([name, slider]) => make("label", {}, name === "contrast" ? "Contrast" : "Brightness", slider)),
        make("button", { type: "button", onclick: () => sliders.forEach(([name]) => lit(name, 1)) }, "Reset"),
      ),
    ),
  );

  const scale = () => image.getBoundingClientRect().width / image.naturalWidth || 1;
  // How large it is if the whole of it is seen, and if its width is.
  const whole = () => Math.min(1, pane.clientWidth / image.naturalWidth, pane.clientHeight / image.naturalHeight);
  const wide = () => Math.min(1, pane.clientWidth / image.naturalWidth);
  let touched = false;

  function lit(name, value) {
    light[name] = value;
    for (const [one, slider] of sliders) slider.value = light[one];
    image.style.filter = light.brightness === 1 && light.contrast === 1 ? "" : `brightness(${light.brightness}) contrast(${light.contrast})`;
  }
  // The point under the pointer stays where it is.
  function zoom(to, x, y) {
    const box = pane.getBoundingClientRect();
    const before = image.getBoundingClientRect();
    const [atX, atY] = [x ?? box.left + box.width / 2, y ?? box.top + box.height / 2];
    const [u, v] = [(atX - before.left) / before.width, (atY - before.top) / before.height];
    touched = true;
    size(Math.min(Math.max(to, whole() / 2), 16));
    const after = image.getBoundingClientRect();
    pane.scrollBy(after.left + u * after.width - atX, after.top + v * after.height - atY);
  }
  function size(to) {
    image.style.width = `${image.naturalWidth * to}px`;
    shown.textContent = percent(to, 0);
  }
  // A strip is as wide as it can be, so that it can be read, and is scrolled.
  function fit() {
    touched = false;
    const strip = whole() < 0.4 * wide();
    pane.classList.toggle("strip-like", strip);
    size(strip ? wide() : whole());
    pane.scrollTo(0, 0);
  }

  image.addEventListener("load", () => {
    // Tiny images are enlarged, pixel by pixel.
    const tiny = image.naturalWidth <= 128 && image.naturalHeight <= 128;
    pane.parentElement.classList.toggle("tiny", tiny);
    if (tiny) image.style.width = ""; // the size it got if it was there before it was heard of
    appear();
  });
  const appear = () => {
    for (const [name] of sliders) lit(name, light[name]);
    if (image.naturalWidth && pane.clientWidth && !touched && !pane.parentElement.matches(".tiny")) fit();
  };
  new ResizeObserver(appear).observe(pane);

  pane.addEventListener(
    "wheel",
    (event) => {
      // Where the wheel scrolls something, it zooms with Ctrl.
      if ((!pane.closest(".page-label #example") || pane.matches(".strip-like")) && !event.ctrlKey) return;
      event.preventDefault();
      zoom(scale() * Math.exp(-Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 100) * 0.002), event.clientX, event.clientY);
    },
    { passive: false },
  );
  pane.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button !== 0) return;
    pane.setPointerCapture(event.pointerId);
    pane.onpointermove = (moved) => pane.scrollBy(-moved.movementX, -moved.movementY);
    pane.onpointerup = pane.onpointercancel = () => (pane.onpointermove = null);
  });
  const spread = ([one, other]) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  let pinch = null;
  pane.addEventListener("touchmove", pinched, { passive: false });
  pane.addEventListener("touchend", () => (pinch = null));
  function pinched(event) {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    const [one, other] = event.touches;
    pinch ??= { spread: spread(event.touches), scale: scale() };
    zoom((pinch.scale * spread(event.touches)) / pinch.spread, (one.clientX + other.clientX) / 2, (one.clientY + other.clientY) / 2);
  }
  pane.addEventListener("keydown", (event) => {
    const keys = { "+": () => zoom(scale() * 1.5), "=": () => zoom(scale() * 1.5), "-": () => zoom(scale() / 1.5), Digit0: fit, Digit1: () => zoom(1) };
    const does = keys[event.shiftKey && keys[event.code] ? event.code : event.key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  });
  return figure("image", pane, address, tools);
}

// ------------------------------------------------------------ audio and video

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 3];
let speed = 1;

function player(kind, address) {
  const media = make(kind, { controls: true, preload: "metadata", playsinline: true, "aria-label": kind === "audio" ? "Audio" : "Video" });
  const shown = make("output", { class: "numbers" });
  const set = () => {
    media.playbackRate = speed;
    shown.textContent = `${decimal(speed).replace(/\.?0+$/, "")}×`;
  };
  const faster = (by) => {
    speed = SPEEDS[Math.min(Math.max(SPEEDS.indexOf(speed) + by, 0), SPEEDS.length - 1)];
    set();
  };
  const replay = () => {
    media.currentTime = 0;
    return media.play().catch(() => {});
  };
  const keys = {
    "<": () => faster(-1),
    ">": () => faster(1),
    " ": () => (media.paused ? media.play().catch(() => {}) : media.pause()),
    ArrowLeft: () => (media.currentTime -= 5),
    ArrowRight: () => (media.currentTime += 5),
    Home: replay,
  };
  set();
  media.addEventListener("play", set); // another may have set it meanwhile
  media.press = (key) => keys[key] && (keys[key](), true);
  const button = (key, words, onclick) => make("button", { type: "button", class: "small", onclick }, make("kbd", { "aria-hidden": "true" }, key), words);
  const tools = make("div", { class: "row" }, button("⇧Home", "Replay", replay), button("<", "Slower", () => faster(-1)), shown, button(">", "Faster", () => faster(1)));
  return figure(kind, media, address, tools);
}

// Keys of the player that is looked at, most with Shift, so that they are those of no class.
document.addEventListener(
  "keydown",
  (event) => {
    if ((!event.shiftKey && !"<>".includes(event.key)) || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    const within = document.querySelector("dialog[open]") ?? document.querySelector(".case.now") ?? document;
    if (!within.querySelector("audio, video")?.press(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);

// An example is shown now.
export function started(parts) {
  if (page.project.autoplay) parts.map((one) => one.querySelector("audio, video")).find(Boolean)?.play().catch(() => {});
}

// ------------------------------------------------------------ reading

// How large texts are is everybody's own.
const SIZES = [0.8, 0.9, 1, 1.15, 1.3, 1.5, 1.75, 2];
let size = Number(localStorage.getItem("text-size")) || 1;
function resize(by) {
  size = SIZES[Math.min(Math.max(SIZES.indexOf(size) + by, 0), SIZES.length - 1)] ?? 1;
  localStorage.setItem("text-size", String(size));
  document.documentElement.style.setProperty("--text", size);
}
document.documentElement.style.setProperty("--text", size);
$("smaller")?.addEventListener("click", () => resize(-1));
$("larger")?.addEventListener("click", () => resize(1));

// A long text: keys that scroll it, less than its box is high, and how far it was read.
const read = $("read");
if (read) {
  const box = $("example");
  const follow = () => {
    const rest = box.scrollHeight - box.clientHeight;
    read.hidden = rest < 40;
    const share = rest ? Math.round((100 * box.scrollTop) / rest) : 100;
    read.style.setProperty("--read", `${share}%`);
    read.setAttribute("aria-valuenow", share);
  };
  box.addEventListener("scroll", follow, { passive: true });
  new ResizeObserver(follow).observe(box);
  new MutationObserver(follow).observe(box, { childList: true });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || ![document.body, $("main"), box].includes(event.target) || document.querySelector("dialog[open]")) return;
    const pageful = Math.max(box.clientHeight - 60, 60);
    const down = { ArrowDown: 60, ArrowUp: -60, PageDown: pageful, PageUp: -pageful, " ": pageful, Home: -box.scrollHeight, End: box.scrollHeight }[event.key];
    if (!down || event.shiftKey || box.scrollHeight - box.clientHeight < 1) return;
    event.preventDefault();
    box.scrollBy({ top: down });
  });
}
