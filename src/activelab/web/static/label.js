// The annotation page. Answers are shown as given at once and sent one after the other; the next examples are
// here before they are needed. A request that fails is repeated under the same id, so that it counts once.

import { call, page, post, requestId } from "./api.js";
import { chooser, onScale, several, words, yesNo, yesOrNo } from "./choose.js";
import { $, capital, make, note, number, picture, showContent, start } from "./dom.js";
import * as goal from "./goal.js";
import * as mine from "./mine.js";
import * as remark from "./remark.js";

const WANTED = 4;
const CANNOT_TELL = "I cannot tell"; // an answer that says something of the example: an abstention, no skip
const REASONS = [
  "It is damaged or empty",
  onScale ? "The question does not fit it" : several ? "It fits a class that is missing" : "It fits no class",
  ...(onScale || several ? [] : ["It fits several classes"]),
  CANNOT_TELL,
];

const classes = page.project.classes;
const items = []; // the first is shown
const outbox = [];
const seen = new Set(); // leases that were shown or wait; they are not added again
let sending = null;
let yours = page.account.num_labels;
let progress = null;
let given = 0; // answers that were given or taken back here
let old = true; // whether the progress has to be read again
let shownAt = 0;
let hidden = 0;
let waiting = null;
let busy = false;

// ---------------------------------------------------------------- what is shown

function show() {
  const box = $("example");
  const item = items[0];
  clearTimeout(waiting);
  shownAt = performance.now();
  hidden = 0;
  choice.reset();
  const asked = item?.asked ?? null;
  single.show(asked);
  $("classes").hidden = asked !== null;
  $("search").hidden = asked !== null || classes.length <= 12 || onScale;
  for (const button of document.querySelectorAll(".answers button.answer")) button.disabled = !item;
  if (item) {
    box.replaceChildren(...showContent(item.content, item.image));
    box.setAttribute("aria-busy", "false");
    box.scrollTop = 0;
    box.tabIndex = box.scrollHeight > box.clientHeight ? 0 : -1;
    scrollTo(0, 0);
  } else if (sending) {
    box.replaceChildren(make("p", { class: "quiet waiting" }, "Loading …"));
    box.setAttribute("aria-busy", "true");
  } else {
    box.replaceChildren(...nothing());
    box.setAttribute("aria-busy", "false");
    waiting = setTimeout(refill, 15000);
  }
}

function nothing() {
  // What is left may not be enough for a label; sums are rounded.
  const spent = progress && progress.budget !== null && progress.budget - progress.collected < progress.price - 0.002;
  return [
    make("p", { class: "done" }, spent ? "The budget is spent." : "Nothing to label now."),
    make(
      "p",
      { class: "quiet" },
      spent
        ? "All labels this project asked for are there. Thank you."
        : "You have seen everything that waits for a label. More may come; this page looks by itself.",
    ),
  ];
}

function add(more) {
  for (const item of more) {
    if (seen.has(item.lease)) continue;
    seen.add(item.lease);
    if (item.content.image) item.image = picture(item.content.image);
    items.push(item);
  }
}

const describe = (item) => {
  if (!item) return "Nothing more to label now.";
  const question = item.asked === null ? "" : `Is it also ${item.asked}? `;
  if (item.content.text !== null) return `Next: ${question}${item.content.text.slice(0, 300)}`;
  if (item.content.image) return `Next example: ${question}an image.`;
  return `Next: ${question}${item.content.fields.map((field) => `${field.name} ${field.value ?? "missing"}`).join(", ").slice(0, 300)}`;
};

function showProgress() {
  const own = `${number(yours)} by you`;
  $("bar").hidden = !(progress && progress.budget);
  if (progress && progress.budget) {
    $("bar").max = progress.budget;
    $("bar").value = progress.collected;
    $("count").textContent = `${number(Math.round(100 * progress.collected) / 100)} of ${number(progress.budget)} · ${own}`;
  } else {
    $("count").textContent = own;
  }
  goal.show(progress);
}

// What is read while an answer is under way may count it or not: it is read again when the last is stored.
async function readProgress() {
  const before = given;
  old = true;
  if (outbox.length) return;
  try {
    const read = await call("GET", `progress?since=${goal.today()}`);
    if (given !== before) return;
    old = false;
    progress = read;
    yours = read.yours;
    showProgress();
  } catch {
    // It is read again soon.
  }
}

// ---------------------------------------------------------------- answers

function answer(kind, { label = null, reason = null } = {}) {
  const item = items[0];
  if (!item || busy) return;
  items.shift();
  // Whoever passes an example over is asked no more about it.
  while (kind === "skip" && items[0]?.example === item.example) items.shift();
  const remarks = remark.take(kind, reason);
  const seconds = Math.min(Math.max((performance.now() - shownAt - hidden) / 1000, 0), 86400);
  outbox.push({
    lease: item.lease,
    body: { kind, label, ...remarks, seconds, request: requestId(), then_lease: WANTED },
  });
  given += 1;
  if (progress) progress.today += 1;
  if (kind === "label") {
    yours += 1;
    if (progress) progress.collected += item.price;
    showProgress();
  } else goal.show(progress);
  sending ??= send().finally(() => {
    sending = null;
    if (!items.length) show();
    if (old) readProgress();
  });
  mine.add({ example: item.example, content: item.content, kind, label, asked: item.asked, reason: remarks.reason });
  const said = () => (item.asked === null ? words(label) : `${item.asked}: ${yesNo(label)}`);
  const stored = kind === "label" ? said() : kind === "skip" ? "Skipped" : "Stored that you cannot tell";
  $("heard").textContent = `${stored}. ${describe(items[0])}`;
  show();
}

async function send() {
  for (let wait = 1; outbox.length; ) {
    const next = outbox[0];
    try {
      const reply = await post(`leases/${next.lease}/answer`, next.body);
      wait = 1;
      outbox.shift();
      if ($("unsent").textContent) showUnsent();
      const empty = !items.length;
      add(reply.items);
      if (empty && items.length) show();
    } catch (error) {
      if (error.passing) {
        showUnsent();
        await pause(wait);
        wait = Math.min(2 * wait, 30);
        continue;
      }
      outbox.shift();
      showUnsent();
      old = true;
      note(`Not stored: ${error.message}`, "bad");
      mine.load();
      if (error.code === "csrf") location.reload();
      if (!items.length) await refill();
    }
  }
}

// Answers that wait for the server or the network stay in sight until they are stored.
function showUnsent() {
  const words = outbox.length === 1 ? "1 answer waits to be stored" : `${number(outbox.length)} answers wait to be stored`;
  $("unsent").textContent = outbox.length ? words : "";
}

// Seconds go by, or the network is back.
const pause = (seconds) =>
  new Promise((resolve) => {
    setTimeout(resolve, 1000 * seconds);
    addEventListener("online", resolve, { once: true });
  });

async function refill() {
  clearTimeout(waiting);
  try {
    const reply = await post("leases", { count: WANTED });
    const empty = !items.length;
    // What is kept for us and was shown before comes back, as after a reload or an answer that was refused.
    const waits = new Set([...items.map((item) => item.lease), ...outbox.map((one) => one.lease)]);
    for (const item of reply.items) if (!waits.has(item.lease)) seen.delete(item.lease);
    add(reply.items);
    if (empty) show();
  } catch (error) {
    note(error.message, "bad");
    waiting = setTimeout(refill, 15000);
  }
}

async function undo() {
  if (busy) return;
  busy = true;
  try {
    await sending;
    given += 1;
    const { item } = await post("undo", { request: requestId() });
    if (item) {
      seen.add(item.lease);
      if (item.content.image) item.image = picture(item.content.image);
      items.unshift(item);
      $("heard").textContent = `Taken back. ${describe(item).replace("Next", "Again")}`;
      note("Your last answer is taken back.");
      show();
    } else {
      note("Your last answer is taken back. Somebody else has the example now.");
    }
    mine.load(); // the next answer need not wait for it
    await readProgress();
  } catch (error) {
    note(capital(error.message), "bad");
  } finally {
    busy = false;
  }
}

// ---------------------------------------------------------------- buttons and keys

const choice = chooser($("classes"), give, { name: onScale ? "Rating" : several ? "Classes, as many as fit" : "Classes" });
const single = yesOrNo($("one"), give);

function give(label) {
  if (items.length) answer("label", { label });
}

for (const name of ["skip", "unsure"]) $(name).classList.add("answer");
$("unsure").addEventListener("click", () => answer("unsure"));
$("undo").addEventListener("click", undo);
$("skip").addEventListener("click", askReason);
$("mine").addEventListener("click", mine.openList);

$("filter").addEventListener("input", () => choice.find($("filter").value));
$("filter").addEventListener("keydown", (event) => {
  if (event.key === "Escape") clearFilter();
  if (event.key !== "Enter" || event.repeat) return;
  if ($("filter").value.trim()) {
    choice.pick();
    clearFilter();
    // Of several classes the next is looked for at once.
    if (several) $("filter").focus();
  } else if (several) {
    choice.press("Enter");
  }
});
function clearFilter() {
  $("filter").value = "";
  choice.find("");
  $("filter").blur();
}

const dialog = $("skip-dialog");
const reasons = REASONS.map((words, place) =>
  make("button", { type: "button", onclick: () => skip(words) }, make("kbd", { "aria-hidden": "true" }, place + 1), make("span", {}, words)),
);
$("reasons").append(...reasons);
$("skip-cancel").addEventListener("click", () => dialog.close());
$("skip-form").addEventListener("submit", (event) => {
  event.preventDefault();
  skip($("reason").value.trim() || null);
});
function askReason() {
  if (!items.length || busy) return;
  $("reason").value = "";
  dialog.showModal();
  reasons[0].focus();
}
function skip(reason) {
  dialog.close();
  if (reason === CANNOT_TELL) answer("unsure");
  else answer("skip", { reason });
}

function guidelines(open = $("guidelines").hidden) {
  $("guidelines").hidden = !open;
  $("guide").setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("with-guidelines", open);
  if (open) $("guidelines-close").focus();
  else $("guide").focus();
}
const text = page.project.guidelines.trim();
$("guidelines-text").append(text || make("span", { class: "quiet" }, "There are none for this project yet."));
$("guide").addEventListener("click", () => guidelines());
$("guidelines-close").addEventListener("click", () => guidelines(false));
$("shortcuts").checked = localStorage.getItem("shortcuts") !== "off";
$("shortcuts").addEventListener("change", () => {
  localStorage.setItem("shortcuts", $("shortcuts").checked ? "on" : "off");
});

const press = (key) => (items[0] && items[0].asked !== null ? single : choice).press(key);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (mine.isOpen() || remark.isOpen()) return;
  if (dialog.open) {
    const place = typing ? -1 : Number(event.key) - 1;
    if (reasons[place]) {
      event.preventDefault();
      skip(REASONS[place]);
    }
    return;
  }
  if (event.key === "Escape" && !$("guidelines").hidden) return guidelines(false);
  if (typing) return;
  const down = { ArrowDown: 60, ArrowUp: -60, PageDown: 300, PageUp: -300 }[event.key];
  if (down && event.target === document.body) $("example").scrollBy({ top: down });
  if (!$("shortcuts").checked) return;
  const actions = { ...remark.actions(items[0]), u: undo, s: askReason, g: () => guidelines(), "?": () => answer("unsure"), "/": () => $("filter").focus(), Backspace: mine.openLatest };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (actions[key] && !(key === "/" && $("search").hidden)) {
    event.preventDefault();
    actions[key]();
  } else if (!(key === "Enter" && event.target.matches("button, a, summary")) && press(key)) {
    event.preventDefault();
  }
});

// Time during which the page is hidden is not time spent on the example.
let hiddenSince = null;
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenSince = performance.now();
  else if (hiddenSince !== null) {
    hidden += performance.now() - hiddenSince;
    hiddenSince = null;
    if (!items.length) refill();
  }
});
addEventListener("beforeunload", (event) => {
  if (outbox.length) event.preventDefault();
});

showProgress();
await start(() => Promise.all([refill(), mine.load()]));
await readProgress();
setInterval(readProgress, 20000);
