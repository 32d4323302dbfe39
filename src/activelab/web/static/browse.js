// All examples: searched, chosen, and something done with those that were chosen.

import { at, get, page, post } from "./api.js";
import { chooser, words } from "./choose.js";
import { begin, picture } from "./content.js";
import { $, capital, decimal, fillSelects, make, note, number, start } from "./dom.js";
import { pressed } from "./keys.js";
import { showMap } from "./map.js";
import { said, SOURCES } from "./votes.js";

const STEP = 50;
const form = $("search");
const fields = [...form.elements].filter((one) => one.name);
const chosen = new Set();
let total = 0;
let shown = 0;
let asked = 0; // a search that was overtaken by another is not shown

// What is looked for stands in the address, so that it can be kept and sent.
const wanted = () => new URLSearchParams(fields.filter((one) => one.value.trim()).map((one) => [one.name, one.value.trim()]));

function fillForm() {
  const given = new URLSearchParams(location.search);
  for (const one of fields) one.value = given.get(one.name) ?? "";
}

async function fillChoices() {
  const facets = await get("browse/facets");
  fillSelects({
    label: page.project.classes,
    said: page.project.classes,
    annotator: facets.annotators,
    round: facets.rounds,
    reason: facets.reasons.map((one) => [one.reason, `${one.reason} (${number(one.number)})`]),
  });
  if (facets.fields.length) $("words").placeholder = `words “several together” ${facets.fields[0]}=value`;
}

const answers = (row) => row.answers.map((one) => `${said(one)}${one.number > 1 ? ` × ${one.number}` : ""}`).join(", ");

function entry(row) {
  const box = make("input", { type: "checkbox", "aria-label": `Choose ${row.example}`, onchange: () => choose(row.id, box.checked) });
  box.checked = chosen.has(row.id);
  const content = row.content;
  const beside = content.fields.map((one) => `${one.name} ${one.value ?? "–"}`).join(" · ");
  const about = [row.label === null ? "no label" : SOURCES[row.source], row.quality === null ? null : `quality ${decimal(row.quality)}`];
  if (row.predicted !== null && row.label !== null && words(row.predicted) !== words(row.label)) about.push(`model ${words(row.predicted)}`);
  const item = make(
    "li",
    { class: "find", "data-id": row.id },
    box,
    content.image ? make("div", { class: "thumb" }, picture(content.image)) : null,
    make(
      "div",
      { class: "what" },
      make("a", { href: at(`/example/${row.id}`) }, row.example),
      content.text === null && !content.turns.length ? null : make("p", { class: "start", dir: "auto" }, begin(content).slice(0, 400)),
      beside ? make("p", { class: "start quiet", dir: "auto" }, beside.slice(0, 400)) : null,
    ),
    make("div", { class: "facts" }, make("b", {}, words(row.label) ?? "–"), make("p", { class: "quiet" }, about.filter(Boolean).join(" · ")), make("p", { class: "quiet" }, answers(row))),
  );
  item.querySelector("img")?.setAttribute("loading", "lazy");
  return item;
}

async function search(more = false) {
  const turn = ++asked;
  const query = wanted();
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  const filters = [...query.keys()].filter((name) => name !== "words" && name !== "sort").length;
  $("active").textContent = filters ? `(${filters})` : "";
  try {
    const found = await get(`browse?${query}&offset=${more ? shown : 0}&limit=${STEP}`);
    if (turn !== asked) return;
    total = found.total;
    const rows = found.rows.map(entry);
    if (more) $("list").append(...rows);
    else $("list").replaceChildren(...(rows.length ? rows : [make("li", { class: "panel quiet" }, "No example fits.")]));
    shown = (more ? shown : 0) + rows.length;
    $("count").textContent = total === 1 ? "1 example" : `${number(total)} examples`;
    $("more").hidden = shown >= total;
    if (!more) await drawn();
    if (more) rows[0]?.querySelector("a").focus({ preventScroll: true });
  } catch (error) {
    note(capital(error.message), "bad");
  }
}

// ------------------------------------------------------------ what is chosen

function choose(id, on) {
  if (on) chosen.add(id);
  else chosen.delete(id);
  showChosen();
}

function showChosen() {
  for (const item of $("list").querySelectorAll(".find")) {
    const on = chosen.has(Number(item.dataset.id));
    item.classList.toggle("on", on);
    item.querySelector("input").checked = on;
  }
  $("chosen").hidden = !chosen.size;
  $("chosen-count").textContent = `${number(chosen.size)} chosen`;
}

async function treat(body, done) {
  try {
    const { number: count, left_out: left } = await post("selection", { examples: [...chosen], ...body });
    note(`${done(count)}${left ? ` ${number(left)} of them ${left === 1 ? "is" : "are"} decided or known already.` : ""}`);
    await search();
  } catch (error) {
    note(capital(error.message), "bad");
  }
}

const some = (count) => (count === 1 ? "1 example" : `${number(count)} examples`);

function ask() {
  return treat({ action: "ask" }, (count) => `One more label is asked for of ${some(count)}, before all others.`);
}

const WHICH = {
  decide: ["Decide", "The label that counts, whatever annotators said; nobody is asked about these examples again."],
  gold: ["Known answer", "The right answer; it checks annotators, and nobody is asked about these examples for a label."],
};

function which(action) {
  const [title, hint] = WHICH[action];
  $("which-title").textContent = `${title}: ${some(chosen.size)}`;
  $("which-hint").textContent = hint;
  const box = make("div", { class: "decider" });
  chooser(
    box,
    async (label) => {
      $("which").close();
      await treat({ action, label }, (count) => `${action === "gold" ? "Known" : "Decided"}: ${some(count)} ${count === 1 ? "is" : "are"} ${words(label)}.`);
    },
    { keyed: false, name: `${title}: classes` },
  );
  $("which-classes").replaceChildren(box);
  $("which").showModal();
}

async function save() {
  try {
    const response = await fetch(at("/api/v1/selection/export"), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": page.csrf },
      body: JSON.stringify({ examples: [...chosen] }),
    });
    if (!response.ok) throw new Error((await response.json()).message);
    const address = URL.createObjectURL(await response.blob());
    make("a", { href: address, download: "selection.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  } catch (error) {
    note(capital(error.message ?? "The server did not answer."), "bad");
  }
}

$("all").addEventListener("click", async () => {
  const found = await get(`browse/ids?${wanted()}`);
  found.examples.forEach((id) => chosen.add(id));
  if (found.total > found.examples.length) note(`The first ${number(found.examples.length)} of ${number(found.total)} are chosen.`);
  showChosen();
});
$("none").addEventListener("click", () => {
  chosen.clear();
  showChosen();
  $("words").focus();
});
$("ask").addEventListener("click", ask);
$("decide").addEventListener("click", () => which("decide"));
$("gold").addEventListener("click", () => which("gold"));
$("export").addEventListener("click", save);
$("which-close").addEventListener("click", () => $("which").close());
$("more").addEventListener("click", () => search(true));

// ------------------------------------------------------------ map

let map = null;

// The map shows which examples fit, as long as it is open.
async function drawn() {
  if (!map || !$("map-panel").open) return;
  const query = wanted();
  query.delete("sort");
  map.fit(query.size ? (await get(`browse/ids?${query}&most=200000`)).examples : null);
}

$("map-panel").addEventListener("toggle", async () => {
  if (!$("map-panel").open) return;
  if (!map) {
    const points = await get("browse/map");
    $("map-none").hidden = points !== null;
    $("map-there").hidden = points === null;
    if (points === null) return;
    map = showMap(points, page.project.classes, (ids) => {
      ids.slice(0, 10_000 - chosen.size).forEach((id) => chosen.add(id));
      showChosen();
    });
  }
  await drawn();
});

// ------------------------------------------------------------ search

let soon = 0;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(soon);
  search();
});
form.addEventListener("input", () => {
  clearTimeout(soon);
  soon = setTimeout(search, 250);
});
form.addEventListener("reset", () => setTimeout(search));

// Rows by key; the link of a row has the focus.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("which").open) return;
  const writing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
  if (writing) {
    if (event.key !== "Escape" || event.target !== $("words")) return;
    event.preventDefault(); // a browser would empty the field
    $("list").querySelector("a")?.focus();
    return;
  }
  const rows = [...$("list").querySelectorAll(".find")];
  const at = rows.findIndex((one) => one.contains(document.activeElement));
  const go = (place) => rows[Math.min(Math.max(place, 0), rows.length - 1)]?.querySelector("a").focus();
  const keys = {
    "/": () => $("words").focus(),
    j: () => go(at + 1),
    ArrowDown: () => go(at + 1),
    k: () => go(at - 1),
    ArrowUp: () => go(at - 1),
    x: () => at >= 0 && choose(Number(rows[at].dataset.id), !chosen.has(Number(rows[at].dataset.id))),
  };
  pressed(event, (key) => {
    keys[key]?.();
    return Boolean(keys[key]);
  });
});

await start(async () => {
  await fillChoices();
  fillForm();
  $("filters").open = [...wanted().keys()].some((name) => name !== "words" && name !== "sort");
  await search();
});
