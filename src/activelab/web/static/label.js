// The annotation page. Answers are shown as given at once and sent one after the other; the next examples are
// here before they are needed. A request that fails is repeated under the same id, so that it counts once.

import { call, page, post, requestId } from "./api.js";
import { chooser, onScale, several, words, yesNo, yesOrNo } from "./choose.js";
import { begin, built, isBroken, showContent, started } from "./content.js";
import { $, capital, make, note, number, start } from "./dom.js";
import * as goal from "./goal.js";
import { pressed } from "./keys.js";
import * as mine from "./mine.js";
import * as remark from "./remark.js";
import { swipes } from "./swipe.js";

const WANTED = 4;
const CANNOT_TELL = "I cannot tell"; // an answer that says something of the example: an abstention, no skip
const REASONS = [
  "It is damaged or empty",
  onScale ? "The question does not fit it" : several ? "It fits a class that is missing" : "It fits no class",
  ...(onScale || several ? [] : ["It fits several classes"]),
  CANNOT_TELL,
];

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
  sayKeys();
  lock();
  if (item) {
    box.replaceChildren(...item.shown);
    started(item.shown);
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

// What cannot be shown can be skipped only.
function lock() {
  const only = items[0] && isBroken(items[0].shown);
  for (const button of document.querySelectorAll(".answers button.answer")) button.disabled = !items[0] || (only && button.id !== "skip");
}
$("example").addEventListener("broken", lock);

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
    item.shown = showContent(item.content);
    items.push(item);
  }
}

const describe = (item) => {
  if (!item) return "Nothing more to label now.";
  const question = item.asked === null ? "" : `Is it also ${item.asked}? `;
  return `Next: ${question}${begin(item.content).slice(0, 300)}`;
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
  if (!item || busy || (kind !== "skip" && isBroken(item.shown))) return;
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
      item.shown = showContent(item.content);
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
const text = built(page.project.guidelines_shown);
$("guidelines-text").append(...(text.length ? text : [make("span", { class: "quiet" }, "There are none for this project yet.")]));
$("guide").addEventListener("click", () => guidelines());
$("guidelines-close").addEventListener("click", () => guidelines(false));
$("shortcuts").checked = localStorage.getItem("shortcuts") !== "off";
$("shortcuts").addEventListener("change", () => {
  localStorage.setItem("shortcuts", $("shortcuts").checked ? "on" : "off");
});

const asker = () => (items[0] && items[0].asked !== null ? single : choice);
// Keys beside those of the classes: `project/class_notes.py` keeps them from these.
const ACTIONS = {
  c: ["Cannot tell", () => answer("unsure")],
  s: ["Skip", askReason],
  u: ["Undo", undo],
  Backspace: ["Correct the last answer", mine.openLatest],
  g: ["Guidelines", () => guidelines()],
  "?": ["All keys", showKeys],
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (dialog.open) {
    pressed(event, (key) => {
      const place = typing ? -1 : Number(key) - 1;
      if (reasons[place]) skip(REASONS[place]);
      return Boolean(reasons[place]);
    });
    return;
  }
  if (mine.isOpen() || remark.isOpen() || $("keys-dialog").open) return;
  if (event.key === "Escape" && !$("guidelines").hidden) return guidelines(false);
  if (typing) return;
  if (!$("shortcuts").checked) return;
  pressed(event, (key) => {
    const remarks = remark.actions(items[0]);
    if (remarks[key]) {
      remarks[key]();
      return true;
    }
    if (!ACTIONS[key]) return !(key === "Enter" && event.target.matches("button, a, summary")) && asker().press(key);
    ACTIONS[key][1]();
    return true;
  });
});

// ---------------------------------------------------------------- all keys, and swipes

const YES_NO = [["y", "Yes"], ["n", "No"]];
function showKeys() {
  const row = (key, ...said) => [make("dt", {}, key ? make("kbd", {}, key) : null), make("dd", { dir: "auto" }, said)];
  const classes = choice.keys().flatMap((one) => row(one.key, make("b", {}, one.label), one.description ? ` ${one.description}` : "", one.example ? make("i", {}, ` e.g. ${one.example}`) : ""));
  const answers = items[0]?.asked ? YES_NO.flatMap(([key, said]) => row(key, said)) : classes;
  const rest = [...Object.entries(ACTIONS).map(([key, [said]]) => [key === "Backspace" ? "⌫" : key, said]), ...Object.keys(remark.actions(items[0])).map((key) => [key, key === "f" ? "Flag" : "Note"]), ["/", "Find a class, where there are many"], [several ? "↵" : "↓", several ? "Store what is ticked" : "Scroll a long example"]];
  $("keys-list").replaceChildren(...answers, ...rest.flatMap(([key, said]) => row(key, said)));
  $("keys-dialog").showModal();
}
$("keys").addEventListener("click", showKeys);
$("keys-close").addEventListener("click", () => $("keys-dialog").close());

// What a swipe to the left and to the right does: of two answers each one, else what does no harm.
function sides() {
  if (items[0]?.asked) return single.buttons.map((one) => [one.querySelector(".name").textContent, () => one.click()]);
  const { classes } = page.project;
  if (!several && !onScale && classes.length === 2) return classes.map((label) => [label, () => give(label)]);
  return [["skip", askReason], ["undo", undo]];
}
const two = () => sides()[0][0] !== "skip";
const swiping = () => matchMedia("(any-pointer: coarse)").matches && (localStorage.getItem("swipes") ?? (two() ? "on" : "off")) === "on";
function sayKeys() {
  const [[left], [right]] = sides();
  $("swipes").checked = swiping();
  $("swipes-line").hidden = !matchMedia("(any-pointer: coarse)").matches;
  $("swipes-words").textContent = `Swipe: ${left} to the left, ${right} to the right`;
  $("sides").hidden = !swiping();
  $("sides").replaceChildren(make("span", { dir: "auto" }, `← ${left}`), make("span", { dir: "auto" }, `${right} →`));
  $("example").classList.toggle("swiped", swiping());
}
$("swipes").addEventListener("change", () => {
  localStorage.setItem("swipes", $("swipes").checked ? "on" : "off");
  sayKeys();
});
swipes($("example"), {
  on: () => items.length > 0 && swiping(),
  aim: (side) => [...$("sides").children].forEach((one, place) => one.classList.toggle("aimed", side === 2 * place - 1)),
  act: (side) => sides()[side < 0 ? 0 : 1][1](),
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
await start(() => Promise.all([choice.ready.then(refill), mine.load()]));
await readProgress();
setInterval(readProgress, 20000);
