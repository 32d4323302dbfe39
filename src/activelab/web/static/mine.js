// One's own answers: the last ones as a strip, all of them in a list, and each to be corrected.

import { call, get, requestId } from "./api.js";
import { group, of, questions, rootOf } from "./asked.js";
import { chooser, words, yesNo, yesOrNo } from "./choose.js";
import { begin, picture, showContent } from "./content.js";
import { $, capital, make, note } from "./dom.js";

const SHOWN = 10;
const SAID = {
  label: (one) => (one.asked === null ? words(one.label) : `${one.asked}: ${yesNo(one.label)}`),
  skip: () => "skipped",
  unsure: () => "cannot tell",
};
const said = (one) => (group ? `${of(one).title}: ` : "") + SAID[one.kind](one);
export const begins = (one) => begin(one.content);
const same = (one, other) => one.example === other.example && one.asked === other.asked && one.question === other.question;
// Answers to all questions, the latest first.
async function read(limit, words = "") {
  const found = await Promise.all(questions.map(async ({ name, root }) => (await get(`answers?limit=${limit}&words=${encodeURIComponent(words)}`, root)).map((one) => ({ ...one, question: name }))));
  return found.flat().sort((one, other) => other.time - one.time).slice(0, limit);
}

let last = []; // the latest first
let open = null; // what is corrected

export function isOpen() {
  return $("mine-dialog").open;
}

// An answer that was given here just now, and one that was taken back before it was stored.
let changes = 0; // of the list here: what is read meanwhile may lack them
export function add(one) {
  changes += 1;
  last = [one, ...last.filter((other) => !same(one, other))].slice(0, SHOWN);
  showStrip();
}

export function drop(one) {
  changes += 1;
  last = last.filter((other) => !same(one, other));
  showStrip();
}

export const latest = () => last[0];

export async function load() {
  try {
    const before = changes;
    const found = await read(SHOWN);
    if (changes !== before) return;
    last = found;
    showStrip();
  } catch {
    // They come with the next answer.
  }
}

function showStrip() {
  $("strip").hidden = !last.length;
  $("strip").replaceChildren(
    ...last.map((one) =>
      make(
        "li",
        {},
        make(
          "button",
          { type: "button", "aria-label": `${said(one)}: ${begins(one).slice(0, 80)}. Correct`, onclick: () => correct(one) },
          one.content.image ? thumb(one) : null,
          make("span", { class: "begin", dir: "auto" }, begins(one).slice(0, 60)),
          make("b", { dir: "auto" }, said(one)),
        ),
      ),
    ),
  );
}

function thumb(one) {
  return make("span", { class: "thumb" }, picture(one.content.image));
}

// ------------------------------------------------------------ the list

export function openLatest() {
  if (last.length) correct(last[0]);
  else openList();
}

export async function openList() {
  $("mine-words").value = "";
  show(null);
  if (!isOpen()) $("mine-dialog").showModal();
  $("mine-words").focus();
  await search();
}

let turn = 0;
async function search() {
  const now = ++turn;
  try {
    const found = await read(100, $("mine-words").value.trim());
    if (now !== turn) return;
    const rows = found.map((one) =>
      make("li", {}, make("button", { type: "button", class: "plain begin", dir: "auto", onclick: () => correct(one) }, begins(one).slice(0, 120)), make("b", { dir: "auto" }, said(one))),
    );
    $("mine-found").replaceChildren(...(rows.length ? rows : [make("li", { class: "quiet" }, "There are none.")]));
  } catch (error) {
    note(capital(error.message), "bad");
  }
}

let soon = 0;
$("mine-words").addEventListener("input", () => {
  clearTimeout(soon);
  soon = setTimeout(search, 250);
});
$("mine-close").addEventListener("click", () => $("mine-dialog").close());
$("mine-back").addEventListener("click", openList);

// ------------------------------------------------------------ one of them

function correct(one) {
  show(one);
  $("mine-content").replaceChildren(...showContent(one.content));
  $("mine-said").textContent = `You said: ${said(one)}${one.reason ? ` (${one.reason})` : ""}. Choose again to change it.`;
  $("mine-yesno").hidden = one.asked === null;
  $("mine-classes").hidden = one.asked !== null;
  if (one.asked === null) {
    const box = make("div");
    chooser(box, (label) => give("label", label), { keyed: false, chosen: one.label ?? (of(one).question === "multilabel" ? [] : null), name: "Another answer", project: of(one) });
    $("mine-classes").replaceChildren(box);
  } else single.show(one.asked);
  if (!isOpen()) $("mine-dialog").showModal();
  $("mine-one").querySelector("button:not([tabindex='-1'])")?.focus();
}

const single = yesOrNo($("mine-yesno"), (label) => give("label", label));
$("mine-unsure").addEventListener("click", () => give("unsure", null));

function show(one) {
  open = one;
  $("mine-list").hidden = one !== null;
  $("mine-one").hidden = one === null;
  $("mine-title").textContent = one === null ? "My answers" : "Correct an answer";
}

async function give(kind, label) {
  const { example, asked } = open;
  try {
    await call("PUT", `answers/${example}`, { kind, label, asked, request: requestId() }, null, rootOf(open));
    const now = { ...open, kind, label, reason: open.kind === "skip" ? null : open.reason };
    last = last.map((one) => (same(one, now) ? now : one));
    showStrip();
    $("mine-dialog").close();
    note(`Changed: ${said(now)}.`);
  } catch (error) {
    note(capital(error.message), "bad");
  }
}
