// Similar examples that the model agrees on: one key for all of them. A click or a key on one of them asks what it is
// instead: it gets a class of its own, or is left out.

import { at, page, post, requestId } from "./api.js";
import { chooser } from "./choose.js";
import { begin, picture, showContent } from "./content.js";
import { $, capital, make, note, number, start } from "./dom.js";
import { pressed } from "./keys.js";
import { showMessages } from "./messages.js";

const KEYS = "123456789abcdefhijkl";
let grid = null;
let except = new Map(); // by lease: a class of its own, or null for what is left out
let open = null; // the place of what is asked about, and its classes
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
    make(
      "button",
      { type: "button", class: "tile", "aria-pressed": "true", "aria-haspopup": "dialog", "aria-keyshortcuts": KEYS[place], onclick: () => ask(place) },
      make("kbd", { "aria-hidden": "true" }, KEYS[place]),
      parts,
      make("b", { class: "own-class", dir: "auto" }),
    ),
  );
}

const dialog = $("one-dialog");

function ask(place) {
  if (busy) return;
  const { lease, content } = grid.items[place];
  const box = make("div");
  open = { place, choice: chooser(box, (label) => settle(label), { chosen: except.get(lease) ?? (except.has(lease) ? null : grid.label), name: "Its class" }) };
  $("one-content").replaceChildren(...showContent(content));
  $("one-classes").replaceChildren(box);
  dialog.showModal();
  $("one-out").focus();
}

// The class of what is asked about; null leaves it out.
function settle(label) {
  const { place } = open;
  const { lease } = grid.items[place];
  if (label === grid.label) except.delete(lease);
  else except.set(lease, label);
  const tile = $("grid").children[place].firstChild;
  tile.setAttribute("aria-pressed", String(!except.has(lease)));
  tile.lastChild.textContent = except.has(lease) ? (label ?? "left out") : "";
  tile.classList.toggle("out", except.get(lease) === null);
  showActs();
  dialog.close();
}

function showActs() {
  const left = grid.items.length - except.size;
  const others = [...except.values()].filter((label) => label !== null).length;
  const out = except.size - others;
  const words = [`${number(left)} are ${grid.label}`, ...(others ? [`${number(others)} of ${others === 1 ? "another class" : "other classes"}`] : []), ...(out ? [`${number(out)} left out`] : [])];
  $("all").replaceChildren(make("kbd", { "aria-hidden": "true" }, "↵"), make("span", {}, except.size ? words.join(", ") : `All ${number(left)} are ${grid.label}`));
  $("all").disabled = !left && !others;
}

function show() {
  $("title").textContent = grid ? `Are all of these ${grid.label}?` : "In bulk";
  $("count").textContent = done ? `${number(done)} answered here` : "";
  for (const name of ["hint", "acts"]) $(name).hidden = !grid;
  $("empty").hidden = grid !== null;
  $("undo").hidden = !last;
  $("grid").replaceChildren(...(grid?.items.map(tile) ?? []));
  except = new Map();
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

const give = (leases, others) =>
  act(async () => {
    const seconds = Math.min(Math.max((performance.now() - shownAt - hidden) / 1000, 0), 86400);
    const { number: stored } = await post("grid/answer", { leases, label: grid.label, others, seconds, request });
    const left = grid.items.length - stored;
    done += stored;
    last = stored;
    await more();
    note(`${number(stored)} stored.${left ? ` ${number(left)} wait for you on the page Label.` : ""}`);
  });

function all() {
  if (!grid || $("all").disabled) return;
  const leases = grid.items.map((item) => item.lease);
  const others = leases.filter((lease) => except.get(lease)).map((lease) => ({ lease, label: except.get(lease) }));
  give(leases.filter((lease) => !except.has(lease)), others);
}

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
$("none").addEventListener("click", () => give([], []));
$("one-out").addEventListener("click", () => settle(null));
$("one-close").addEventListener("click", () => dialog.close());
$("undo").addEventListener("click", undo);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || !grid) return;
  const onButton = event.target.matches("button, a, summary");
  if (dialog.open) {
    if (event.target.matches("input") || (onButton && event.key === "Enter")) return;
    pressed(event, (key) => {
      if (key === "s") settle(null);
      return key === "s" || open.choice.press(key);
    });
    return;
  }
  pressed(event, (key) => {
    const place = key.length === 1 ? KEYS.indexOf(key) : -1;
    if (key === "Enter" && !onButton) all();
    else if (key === "u" && last) undo();
    else if (grid.items[place]) ask(place);
    else return false;
    return true;
  });
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
