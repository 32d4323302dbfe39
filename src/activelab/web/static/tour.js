// The examples newcomers practise on: one after the other, and after each what is right.

import { at, get, page, post } from "./api.js";
import { chooser, onScale, several, words } from "./choose.js";
import { built, showContent } from "./content.js";
import { $, capital, note, number, start } from "./dom.js";
import { showMessages } from "./messages.js";

let now = null;
let busy = false;
let further = null; // what the button does

const choice = chooser($("classes"), give, { name: onScale ? "Rating" : several ? "Classes, as many as fit" : "Classes" });
const guidelines = built(page.project.guidelines_shown);
$("guidelines").append(...(guidelines.length ? guidelines : ["There are none for this project yet."]));

async function give(label) {
  if (busy || $("ask").hidden) return;
  busy = true;
  try {
    const told = await post("practice", { example: now.example, label });
    now = told.practice;
    tell(told.correct ? "That is right." : `Not quite. The right answer is: ${words(told.label)}.`, told.note ?? "", now.passed === null ? "Next" : "See how it went", show, true);
  } catch (error) {
    note(capital(error.message), "bad");
  } finally {
    busy = false;
  }
}

// With the example still in sight, or without.
function tell(title, why, button, next, beside = false) {
  $("told").hidden = false;
  $("told-title").textContent = title;
  $("why").textContent = why;
  $("next").textContent = button;
  further = next;
  $("classes").inert = beside;
  $("ask").hidden = !beside;
  showCount();
  $("next").focus();
}

function showCount() {
  $("count").textContent = now.of ? `${number(now.done)} of ${number(now.of)} · ${number(now.right)} right, ${number(now.needed)} needed` : "";
}

function show() {
  const go = () => location.assign(at("/label"));
  if (now.passed) return tell(`You have passed: ${number(now.right)} of ${number(now.of)} right.`, "From now on your answers count.", "Start labelling", go);
  if (!now.due) return tell("There is nothing to practise.", "", "Go to the page Label", go);
  if (now.passed === false) {
    return tell(
      `${number(now.right)} of ${number(now.of)} are right; ${number(now.needed)} are needed.`,
      "Read the guidelines and try again, as often as you like. Or ask whoever leads the project, who can let you in.",
      "Try again",
      async () => {
        now = await post("practice/again");
        show();
      },
    );
  }
  $("told").hidden = true;
  $("ask").hidden = false;
  $("classes").inert = false;
  choice.reset();
  $("content").replaceChildren(...showContent(now.content));
  showCount();
  $("content").focus();
}

$("next").addEventListener("click", () => further());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || $("ask").hidden || !$("told").hidden) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!(key === "Enter" && event.target.matches("button, summary")) && choice.press(key)) event.preventDefault();
});

await start(async () => {
  now = await get("practice");
  $("once-more").hidden = !now.again;
  show();
  await showMessages();
});
