import { call, get, post, requestId } from "./api.js";
import { classTable, safeAddress, safeWords, summary } from "./auditresult.js";
import { chooser, several, words } from "./choose.js";
import { showContent } from "./content.js";
import { $, capital, make, note, number, start } from "./dom.js";
import { pressed } from "./keys.js";

let shown = null; // what is to be checked
let last = null; // what was checked last, to undo
let busy = false; // until the next example is there, answers are not taken: they would be for another
let since = 0;
const limits = { epsilon: 0.05, delta: 0.05, checker_error: 0 };

const choice = chooser($("classes"), (label) => check(label), { name: several ? "Classes, as many as fit" : "Classes" });

function showNext(next, focus) {
  shown = next !== null && next.example !== null ? next : null;
  $("desk").hidden = shown === null;
  $("progress").textContent = next === null ? "" : `${number(next.checked)} of ${number(next.drawn)} checked`;
  $("undo").disabled = last === null;
  if (shown === null) return;
  choice.reset();
  $("content").replaceChildren(...showContent(shown.content));
  since = performance.now();
  if (focus) $("example").focus();
}

const after = (position) => get(`audits/${shown.audit}/next?after=${position}`);

function setBusy(now) {
  busy = now;
  $("example").setAttribute("aria-busy", String(now));
}

// One thing at a time; what is refused is said, and the page goes on with what is next.
async function step(work) {
  if (busy || shown === null) return;
  setBusy(true);
  try {
    await work();
  } catch (error) {
    note(capital(error.message), "bad");
    if (error.status === 409) showNext(await after(shown.position), true);
  } finally {
    setBusy(false);
  }
}

const check = (label) =>
  step(async () => {
    const { audit, example, position } = shown;
    const seconds = Math.min((performance.now() - since) / 1000, 86400);
    await post(`audits/${audit}/checks`, { example, label, seconds, request: requestId() });
    last = { audit, example, position };
    const next = await after(position);
    showNext(next, true);
    note(next.example === null ? "Everything is checked." : `Checked: ${words(label)}.`);
    if (next.example === null) $("results-title").focus();
    void showResults(); // the next example does not wait for it
  });

const later = () => step(async () => showNext(await after(shown.position), true));

async function undo() {
  if (busy || last === null) return;
  setBusy(true);
  try {
    await call("DELETE", `examples/${last.example}/decision?request=${requestId()}`);
    const before = last;
    last = null;
    showNext(await get(`audits/${before.audit}/next?after=${before.position - 1}`), true);
    note("The check is undone.");
    void showResults();
  } catch (error) {
    note(capital(error.message), "bad");
  } finally {
    setBusy(false);
  }
}

$("later").addEventListener("click", later);
$("undo").addEventListener("click", undo);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.target.matches("input, textarea, select") || localStorage.getItem("shortcuts") === "off") return;
  pressed(event, (key) => {
    const act = { s: later, u: undo }[key];
    if (!act || (shown === null && key !== "u")) return shown !== null && !(key === "Enter" && event.target.matches("button, a, summary")) && choice.press(key);
    act();
    return true;
  });
});

// The latest audit in full, those before in a sentence.
async function showResults() {
  const rows = await get(`audits?${new URLSearchParams(limits)}`);
  const [latest, ...earlier] = rows;
  $("results-panel").hidden = !latest;
  if (!latest) return null;
  const parts = summary(latest);
  if (latest.checked) parts.push(classTable(latest), safety(latest));
  if (earlier.length) {
    parts.push(
      make("h3", {}, "Earlier audits"),
      make("ul", { class: "votes" }, earlier.map((one) => make("li", {}, make("div", {}, summary(one))))),
    );
  }
  $("results").replaceChildren(...parts);
  return latest;
}

function safety(audit) {
  const field = (name, words, least = 0.1) =>
    make(
      "div",
      {},
      make("label", { for: name }, words),
      make("input", { id: name, type: "number", min: least, max: 50, step: 0.1, required: true, value: String(+(100 * audit[name]).toFixed(4)) }),
    );
  const form = make(
    "form",
    {
      class: "row together",
      onsubmit: async (event) => {
        event.preventDefault();
        for (const name of Object.keys(limits)) limits[name] = $(name).valueAsNumber / 100;
        await showResults();
        $("recount").focus();
      },
    },
    field("epsilon", "Wrong at most, %"),
    field("delta", "Risk of more, %"),
    field("checker_error", "Checks that are wrong, %", 0),
    make("button", { type: "submit", id: "recount" }, "Count again"),
    audit.safe ? make("a", { class: "button", href: safeAddress(audit), download: true }, "Download them") : null,
  );
  return make("div", { class: "safety" }, make("p", {}, safeWords(audit)), form);
}

$("begin").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const audit = await post("audits", { number: $("number").valueAsNumber });
    last = null;
    note(`${number(audit.drawn)} labels are drawn.`);
    showNext(await get(`audits/${audit.id}/next`), true);
    await showResults();
  } catch (error) {
    note(capital(error.message), "bad");
  }
});

await start(async () => {
  const latest = await showResults();
  showNext(latest === null ? null : await get(`audits/${latest.id}/next`), false);
});
