// Elements are made one by one; nothing on these pages is ever parsed from text.

export const $ = (id) => document.getElementById(id);

// What a page does first. Until it is done the page is busy, as screen readers are told too, and takes no
// clicks, which nobody would answer yet.
export async function start(work) {
  try {
    await work();
  } catch (error) {
    if (error.status === undefined) throw error; // a mistake of ours, not an answer of the server
    if (error.status !== 401) {
      $("main").prepend(make("p", { class: "panel problem", role: "alert" }, `${capital(error.message)} Load the page again.`));
    }
  } finally {
    $("main").inert = false;
    $("main").setAttribute("aria-busy", "false");
  }
}

// What the server refused and no page has spoken of is said at least.
addEventListener("unhandledrejection", (event) => {
  if (event.reason?.status === undefined) return;
  event.preventDefault();
  note(capital(event.reason.message), "bad");
});

// What stands on each line of a text.
export const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

export const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
}

const whole = new Intl.NumberFormat("en-GB");
export const number = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const percent = (value, digits = 1) =>
  value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`;
export const decimal = (value, digits = 2) =>
  value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−");
export const when = (seconds) =>
  seconds === null || seconds === undefined
    ? "–"
    : new Date(1000 * seconds).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

// A short message at the edge of the page, which screen readers hear.
export function note(words, kind = "") {
  const element = make("p", { class: `note ${kind}` }, words);
  $("notes").replaceChildren(element);
  clearTimeout(note.timer);
  note.timer = setTimeout(() => element.remove(), kind === "bad" ? 9000 : 5000);
}

// columns: [[title, row => what is shown, "numbers" or null]]; the first is the row's heading.
export function table(title, columns, rows) {
  return make(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": title },
    make(
      "table",
      { class: "grid" },
      make("thead", {}, make("tr", {}, columns.map(([name, , kind, hint]) => make("th", { scope: "col", class: kind, title: hint }, name)))),
      make(
        "tbody",
        {},
        rows.map((row) =>
          make("tr", {}, columns.map(([, show, kind], place) => make(place ? "td" : "th", { class: kind, scope: place ? null : "row" }, show(row) ?? "–"))),
        ),
      ),
    ),
  );
}

// Gives selects their options, each a text or [value, text]; one without any is not shown.
export function fillSelects(options) {
  for (const [name, values] of Object.entries(options)) {
    $(name).append(...values.map((one) => (Array.isArray(one) ? make("option", { value: one[0] }, one[1]) : make("option", {}, String(one)))));
    $(name).parentElement.hidden = !values.length;
  }
}

const menu = $("menu");
menu?.addEventListener("click", () => {
  const open = menu.getAttribute("aria-expanded") !== "true";
  menu.setAttribute("aria-expanded", String(open));
});
