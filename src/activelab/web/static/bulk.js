// Similar examples that the model agrees on: one key for all of them, exceptions by a click or their key.

import { at, page, post, requestId } from "./api.js";
import { begin, picture } from "./content.js";
import { $, capital, make, note, number, start } from "./dom.js";
import { showMessages } from "./messages.js";

const KEYS = "123456789abcdefhijkl";
let grid = null;
let out = new Set();
let shownAt = 0;
let hidden = 0;
let hiddenSince = null;
let done = 0;
let last = 0; // answers of the grid before
let request = null;
let busy = false;

function tile(item, place) {
  const { content } = item;
  const words = begin(content);
  const parts = [content.image ? picture(content.image) : null, words ? make("span", { class: "words", dir: "auto" }, words) : null];
  return make(
    "li",
    {},
    make("button", { type: "button", class: "tile", "aria-pressed": "true", "aria-keyshortcuts": KEYS[place], onclick: () => toggle(place) }, make("kbd", { "aria-hidden": "true" }, KEYS[place]), parts),
  );
}

function toggle(place) {
  const { lease } = grid.items[place];
  if (!out.delete(lease)) out.add(lease);
  $("grid").children[place].firstChild.setAttribute("aria-pressed", String(!out.has(lease)));
  showActs();
}

function showActs() {
  const left = grid.items.length - out.size;
  $("all").replaceChildren(make("kbd", { "aria-hidden": "true" }, "↵"), make("span", {}, out.size ? `${number(left)} are ${grid.label}, ${number(out.size)} left out` : `All ${number(left)} are ${grid.label}`));
  $("all").disabled = !left;
}

function show() {
  $("title").textContent = grid ? `Are all of these ${grid.label}?` : "In bulk";
  $("count").textContent = done ? `${number(done)} answered in bulk` : "";
  for (const name of ["hint", "acts"]) $(name).hidden = !grid;
  $("empty").hidden = grid !== null;
  $("undo").hidden = !last;
  $("grid").replaceChildren(...(grid?.items.map(tile) ?? []));
  out = new Set();
  request = requestId();
  shownAt = performance.now();
  hidden = 0;
  if (!grid) return;
  showActs();
  scrollTo(0, 0);
  $("title").focus();
}

async function more() {
  grid = await post("grid");
  if (!grid) $("empty").replaceChildren("Nothing to answer in bulk now: the model is not sure of enough examples without a label. The others wait on the page ", make("a", { href: at("/label") }, "Label"), ".");
  show();
}

async function act(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
  } catch (error) {
    note(capital(error.message), "bad");
  } finally {
    busy = false;
  }
}

const give = (left) =>
  act(async () => {
    const seconds = Math.min(Math.max((performance.now() - shownAt - hidden) / 1000, 0), 86400);
    const leases = grid.items.map((item) => item.lease).filter((lease) => left.has(lease));
    const { number: stored } = await post("grid/answer", { leases, label: grid.label, seconds, request });
    const others = grid.items.length - stored;
    done += stored;
    last = stored;
    await more();
    note(`${number(stored)} stored.${others ? ` ${number(others)} wait for you on the page Label.` : ""}`);
  });

const all = () => grid && !$("all").disabled && give(new Set(grid.items.map((item) => item.lease).filter((lease) => !out.has(lease))));

// Answers are single ones: the last of them are taken back, one after the other.
const undo = () =>
  act(async () => {
    const taken = last;
    while (last) {
      await post("undo", { request: requestId() });
      last -= 1;
      done -= 1;
    }
    $("undo").hidden = true;
    $("count").textContent = "";
    note(`${number(taken)} answers are taken back; they wait for you on the page Label.`);
  });

$("all").addEventListener("click", all);
$("none").addEventListener("click", () => give(new Set()));
$("undo").addEventListener("click", undo);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !grid) return;
  const key = event.key.toLowerCase();
  const place = KEYS.indexOf(key);
  if (key === "enter" && !event.target.matches("button, a")) all();
  else if (key === "u" && last) undo();
  else if (key.length === 1 && place >= 0 && grid.items[place]) toggle(place);
  else return;
  event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenSince = performance.now();
  else if (hiddenSince !== null) {
    hidden += performance.now() - hiddenSince;
    hiddenSince = null;
  }
});

await start(async () => {
  if (!page.bulk) {
    $("empty").textContent = "In this project examples are answered one by one, on the page Label.";
    $("empty").hidden = false;
  } else await more();
  await showMessages();
});
