// A note and a flag, which go with the next answer.

import { $ } from "./dom.js";

let flagged = false;
let text = "";

function show() {
  $("flag").setAttribute("aria-pressed", String(flagged));
  $("remark").setAttribute("aria-pressed", String(text !== ""));
}

function flag() {
  flagged = !flagged;
  show();
}

function write() {
  $("remark-text").value = text;
  $("remark-dialog").showModal();
}

export const isOpen = () => $("remark-dialog").open || $("goal-dialog").open;

// Keys, for the example that is shown; where one class is asked about, n is no.
export const actions = (item) => (item ? { f: flag, ...(item.asked === null ? { n: write } : {}) } : {});

// What goes with an answer, which is forgotten then. A skip has a reason, and the note behind it.
export function take(kind, reason) {
  const with_it = { reason: [kind === "skip" ? reason : null, text].filter(Boolean).join(": ") || null, flagged };
  flagged = false;
  text = "";
  show();
  return with_it;
}

$("flag").addEventListener("click", flag);
$("remark").addEventListener("click", write);
$("remark-cancel").addEventListener("click", () => $("remark-dialog").close());
$("remark-form").addEventListener("submit", () => {
  text = $("remark-text").value.trim();
  show();
});
$("remark-text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("remark-form").requestSubmit();
});
