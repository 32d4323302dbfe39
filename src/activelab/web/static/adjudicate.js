import { at, call, get, page } from "./api.js";
import { showContent } from "./content.js";
import { $, capital, decimal, fillSelects, make, note, number, start, when } from "./dom.js";
import { same, words } from "./choose.js";
import { pressed } from "./keys.js";
import { decider, takeBack, undoer, votesByLabel } from "./votes.js";

const presses = new WeakMap(); // of each case: what its keys do
let last = null; // takes back what was done last
const later = new Set(); // left for later, until the page is loaded again

const cases = () => [...$("list").querySelectorAll(".case")];
const current = () => cases().find((one) => one.contains(document.activeElement)) ?? cases()[0];

function entry(row) {
  const item = make("li", { class: "panel case", "data-id": row.id, "data-name": row.example });
  const about = [
    row.why === "skipped or unsure" || row.quality === null ? row.why : `${row.why}, quality ${decimal(row.quality)}`,
    row.consensus === null ? null : `consensus ${words(row.consensus)}`,
    row.predicted === null ? null : `model ${words(row.predicted)}`,
  ].filter(Boolean);
  const why = make("input", { type: "text", maxlength: 500, placeholder: "Note (optional)", "aria-label": `Note on ${row.example}` });
  const { box, press } = decider(row.id, row.example, null, () => gone(item, () => takeBack(row.id).then(() => show(row.id))), { keyed: true, note: () => why.value.trim() || null });
  presses.set(item, press);
  item.append(
    make("div", { class: "content" }, showContent(row.content)),
    make(
      "div",
      { class: "facts" },
      make("h2", {}, make("a", { href: at(`/example/${row.id}`) }, row.example)),
      make("p", { class: "quiet" }, about.join(" · ")),
      votesByLabel(row.votes),
      row.like.length ? make("p", { class: "quiet" }, "Like it: ", ...row.like.flatMap((one, place) => [place ? ", " : "", make("a", { href: at(`/example/${one.id}`) }, one.example), ` ${words(one.label)}`])) : null,
    ),
    box,
    make(
      "div",
      { class: "row aside" },
      why,
      make("button", { type: "button", class: "small", onclick: () => unclear(item) }, make("kbd", { "aria-hidden": "true" }, "g"), "Guidelines do not decide"),
      make("button", { type: "button", class: "small plain", onclick: () => skip(item) }, make("kbd", { "aria-hidden": "true" }, "s"), "Later"),
    ),
  );
  return item;
}

// A case is done with: the focus goes on to the next, and `undo` brings it back.
async function gone(item, undo) {
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  last = undo;
  mark();
  next?.querySelector(".decider button:not([tabindex='-1'])")?.focus({ preventScroll: false });
  if (cases().length) await showRest();
  else await show();
}

function skip(item) {
  const id = Number(item.dataset.id);
  later.add(id);
  return gone(item, async () => {
    later.delete(id);
    await show(id);
  });
}

async function unclear(item) {
  const { id, name } = item.dataset;
  try {
    await call("PUT", `examples/${id}/unclear`, { note: item.querySelector("input").value.trim() || null });
    note(`${name} waits for clearer guidelines.`);
    await gone(item, () => clear(id, name));
  } catch (error) {
    note(capital(error.message), "bad");
  }
}

async function clear(id, name) {
  await call("DELETE", `examples/${id}/unclear`);
  note(`${name} is a case again.`);
  await show(Number(id));
}

function mark() {
  const size = cases().length;
  $("left").textContent = size ? `${number(size)} shown${later.size ? `, ${number(later.size)} for later` : ""}` : "";
  const now = current();
  for (const one of cases()) one.classList.toggle("now", one === now);
}

async function showRest() {
  const [decided, open] = await Promise.all([get("decisions?limit=20"), get("unclear")]);
  $("decided-panel").hidden = !decided.length;
  $("decided").replaceChildren(
    ...decided.map((row) =>
      make(
        "li",
        {},
        make(
          "span",
          {},
          make("a", { href: at(`/example/${row.id}`) }, row.example),
          " ",
          make("b", {}, words(row.label)),
          make("span", { class: "quiet" }, ` by ${row.annotator}, ${when(row.time)}${row.consensus !== null && !same(row.consensus, row.label) ? `; the consensus says ${words(row.consensus)}` : ""}${row.note ? `; “${row.note}”` : ""}`),
        ),
        undoer(row.id, row.example, undone),
      ),
    ),
  );
  $("unclear-panel").hidden = !open.length;
  $("unclear").replaceChildren(
    ...open.map((row) =>
      make(
        "li",
        {},
        make("span", {}, make("a", { href: at(`/example/${row.id}`) }, row.example), make("span", { class: "quiet" }, ` by ${row.annotator}, ${when(row.time)}${row.note ? `; “${row.note}”` : ""}`)),
        make("button", { type: "button", class: "small", "aria-label": `Make ${row.example} a case again`, onclick: () => clear(row.id, row.example) }, "Make it a case again"),
      ),
    ),
  );
}

async function undone() {
  last = null;
  await show();
  ($("decided").querySelector("button") ?? $("list").querySelector("button"))?.focus({ preventScroll: false });
}

// The cases that fit the filters; `first` among them, if it was just brought back.
async function show(first = null) {
  const wanted = new URLSearchParams([...new FormData($("search"))].filter(([, value]) => value));
  const [found] = await Promise.all([get(`adjudication?limit=${20 + later.size}&${wanted}`), showRest()]);
  const rows = found.filter((row) => !later.has(row.id)).sort((one, other) => (other.id === first) - (one.id === first));
  const none = wanted.size ? "No case fits." : "Nothing needs a decision now. The list fills when people disagree or skip, and a round is trained.";
  $("list").replaceChildren(...(rows.length ? rows.map(entry) : [make("li", { class: "panel quiet" }, later.size ? "All that is left is for later." : none)]));
  mark();
  if (first !== null) cases()[0]?.querySelector(".decider button:not([tabindex='-1'])")?.focus();
}

async function fillChoices() {
  const facets = await get("browse/facets");
  fillSelects({ said: page.project.classes, annotator: facets.annotators, reason: facets.reasons.map((one) => one.reason) });
}

async function takeLastBack() {
  if (!last) {
    note("There is nothing to take back; older decisions are below.");
    return;
  }
  const undo = last;
  last = null;
  try {
    await undo();
  } catch (error) {
    note(capital(error.message), "bad");
  }
}

$("search").addEventListener("change", () => show());
$("list").addEventListener("focusin", mark);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const item = current();
  const others = { u: takeLastBack, g: item && (() => unclear(item)), s: item && (() => skip(item)) };
  pressed(event, (key) => {
    if (!others[key]) return Boolean(item) && presses.get(item)(key);
    others[key]();
    return true;
  });
});

await start(async () => {
  await fillChoices();
  await show();
});
