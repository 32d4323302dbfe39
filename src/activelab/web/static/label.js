// The annotation page. Answers are shown as given at once and leave by outbox.js; the next examples are here before
// they are needed. Until the first answer nothing is kept from others: what is shown then is only looked at.

import { at, call, get, page, post, requestId } from "./api.js";
import { chooser, onScale, renew, several, words, yesNo, yesOrNo } from "./choose.js";
import { begin, built, isBroken, showContent, started } from "./content.js";
import { $, capital, make, note, number, start } from "./dom.js";
import * as goal from "./goal.js";
import { pressed } from "./keys.js";
import { showMessages } from "./messages.js";
import * as mine from "./mine.js";
import * as out from "./outbox.js";
import * as remark from "./remark.js";
import { swipes } from "./swipe.js";

const SHOWN = 4; // examples that are looked at before the first answer
const NEAR = 4; // examples whose images are fetched side by side
const CANNOT_TELL = "I cannot tell"; // an answer that says something of the example: an abstention, no skip
const REASONS = [
  "It is damaged or empty",
  onScale ? "The question does not fit it" : several ? "It fits a class that is missing" : "It fits no class",
  ...(onScale || several ? [] : ["It fits several classes"]),
  CANNOT_TELL,
];

const items = []; // the first is shown
const done = new Set(); // leases that were answered here; a late reply brings them once more
let yours = page.account.num_labels;
let progress = null;
let given = 0; // answers that were given or taken back here
let old = true; // whether the progress has to be read again
let shownAt = 0;
let hidden = 0;
let waiting = null;
let busy = false;
let begun = false; // whether anything was answered: only then examples are kept for us
let fetching = null; // an image far ahead
let unsaid = null; // what was answered, while the next example, which is said with it, is not here yet

// ---------------------------------------------------------------- what is shown

function show() {
  const box = $("example");
  const item = items[0];
  clearTimeout(waiting);
  shownAt = performance.now();
  hidden = 0;
  if (stale) rebuild();
  choice.reset();
  const asked = item?.asked ?? null;
  single.show(asked);
  $("classes").hidden = asked !== null;
  sayKeys();
  lock();
  if (item) {
    item.shown ??= showContent(item.content);
    box.replaceChildren(...item.shown);
    started(item.shown);
    if (unsaid) say(unsaid, describe(item));
    box.setAttribute("aria-busy", "false");
    box.scrollTop = 0;
    box.tabIndex = box.scrollHeight > box.clientHeight ? 0 : -1;
    scrollTo(0, 0);
    prefetch();
  } else if (out.waits()) {
    box.replaceChildren(make("p", { class: "quiet waiting" }, "Loading …"));
    box.setAttribute("aria-busy", "true");
  } else {
    showNothing();
  }
}

// What cannot be shown can be skipped only.
function lock() {
  const only = isBroken(items[0]?.shown ?? []);
  for (const button of document.querySelectorAll(".answers button.answer")) button.disabled = !items[0] || (only && button.id !== "skip");
}
$("example").addEventListener("broken", lock);

const LATER = " This page looks by itself.";
const about = (seconds) => (seconds < 90 ? `about ${number(Math.ceil(seconds))} seconds` : `about ${number(Math.ceil(seconds / 60))} minutes`);
const NOTHING = {
  budget: () => ["The budget is spent.", "All labels this project asked for are there. Thank you."],
  empty: () => ["Nothing to label now.", `There are no examples in this project yet${page.account.role === "admin" ? ": add some on the page Data" : ""}.`],
  training: (after) => ["Nothing to label now: a round is being trained.", `It goes on ${after === null ? "when that is done" : `in ${about(after)}`}.${LATER}`],
  share: () => ["Nothing to label now.", `You have labelled what falls to you of this round.${LATER}`],
  held: (after) => ["Nothing to label now: others are at work on the rest.", `${after === null ? "What they leave" : `What they have not answered in ${about(after)}`} comes back.${LATER}`],
  seen: () => ["Nothing to label now: you have seen all that is left.", `Others are asked about it. More may come.${LATER}`],
  done: (_, automatic) => ["Nothing to label now: all of this round is labelled.", `More comes ${automatic ? "with the next round" : "when whoever leads the project has the next round trained"}.${LATER}`],
};

async function showNothing() {
  const box = $("example");
  const tell = (title, more = "") => {
    if (unsaid) say(unsaid, title);
    box.replaceChildren(make("p", { class: "done" }, title), make("p", { class: "quiet" }, more));
    box.setAttribute("aria-busy", "false");
  };
  let again = 15;
  box.replaceChildren(make("p", { class: "quiet waiting" }, "Loading …"));
  box.setAttribute("aria-busy", "true");
  if (out.offline()) tell("What was here is answered.", "The next examples come when your answers have been sent.");
  else {
    try {
      const { reason, seconds, automatic } = await get("why-nothing");
      if (items.length || out.waits()) return;
      if (reason === "practice") return practise();
      tell(...NOTHING[reason](seconds, automatic));
      again = Math.min(Math.max(seconds ?? again, 2), again);
    } catch {
      if (items.length) return;
      tell("Nothing to label now.", "The server does not answer.");
    }
  }
  clearTimeout(waiting);
  waiting = setTimeout(refill, 1000 * again);
}

const key = (one) => `${one.example}/${one.asked ?? ""}`;
const under = () => out.outbox.filter((one) => !one.undoes).map((one) => one.item);

// What is here already, only looked at so far, may be kept for us now.
function add(more) {
  const here = new Map([...items, ...under()].map((one) => [key(one), one]));
  for (const item of more) {
    if (done.has(item.lease)) continue;
    const known = here.get(key(item));
    if (known) Object.assign(known, { lease: item.lease, price: item.price });
    else items.push(item);
  }
  prefetch();
}

// The next images are fetched side by side, the others one after the other, lest answers wait for them.
function prefetch() {
  for (const [place, item] of items.entries()) {
    if (item.shown) continue;
    if (place >= NEAR && fetching) return;
    item.shown = showContent(item.content);
    const image = item.shown.map((one) => one.querySelector("img")).find(Boolean);
    if (place < NEAR || !image) continue;
    fetching = image;
    const next = () => {
      if (fetching !== image) return;
      fetching = null;
      prefetch();
    };
    image.addEventListener("load", next, { once: true });
    image.addEventListener("error", next, { once: true });
    return;
  }
}

const describe = (item) => {
  const question = item.asked === null ? "" : `Is it also ${item.asked}? `;
  return `Next: ${question}${begin(item.content).slice(0, 300)}`;
};

// What a screen reader reads out.
function say(...sentences) {
  unsaid = null;
  $("heard").textContent = sentences.join(" ");
}

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

function count(item, by, answers) {
  given += 1;
  yours += by;
  if (progress) {
    progress.collected += by * item.price;
    progress.today += answers;
  }
  showProgress();
}

// What is read while an answer is under way may count it or not: it is read again when the last is stored.
async function readProgress() {
  const before = given;
  old = true;
  if (out.outbox.length) return;
  try {
    const read = await call("GET", `progress?since=${goal.today()}`);
    if (read.version !== page.project.version) await projectChanged();
    if (read.messages) await showMessages();
    if (read.practise) return practise();
    if (given !== before) return;
    old = false;
    progress = read;
    yours = read.yours;
    showProgress();
  } catch {
    // It is read again soon.
  }
}

// Whoever was sent to practise again gets nothing more here; what they answered is stored.
const practise = () => location.assign(at("/tour"));

// ---------------------------------------------------------------- answers

const said = (one) => (one.body.kind === "label" ? (one.item.asked === null ? words(one.body.label) : `${one.item.asked}: ${yesNo(one.body.label)}`) : one.body.kind === "skip" ? "Skipped" : "Cannot tell");
const own = ({ item, body }) => ({ example: item.example, content: item.content, asked: item.asked, ...body });

function answer(kind, { label = null, reason = null } = {}) {
  const item = items[0];
  if (!item || busy || (kind !== "skip" && isBroken(item.shown))) return;
  items.shift();
  // Whoever passes an example over is asked no more about it.
  while (kind === "skip" && items[0]?.example === item.example) items.shift();
  const remarks = remark.take(kind, reason);
  const seconds = Math.min(Math.max((performance.now() - shownAt - hidden) / 1000, 0), 86400);
  const one = { item, body: { kind, label, ...remarks, seconds } };
  begun = true;
  done.add(item.lease);
  out.push(one);
  tabs?.postMessage(key(item));
  count(item, Number(kind === "label"), 1);
  mine.add(own(one));
  unsaid = `${kind === "unsure" ? "Stored that you cannot tell" : said(one)}.`;
  show();
}

// What comes back of an answer, and of one that is taken back.
function stored(one, reply) {
  const empty = !items.length;
  if (one.undoes) {
    if (reply.item) add([reply.item]);
    else gone(one.item, "Somebody else has the example now.");
  } else {
    add(reply.items);
    const lost = new Set(reply.lost);
    for (let place = items.length - 1; place > 0; place--) if (lost.has(items[place].lease)) items.splice(place, 1);
  }
  if (empty && items.length) show();
}

function refused(one, why) {
  old = true;
  note(one.undoes ? capital(why) : `Not stored: ${why}`, "bad");
  if (one.undoes) gone(one.item, capital(why));
  mine.load();
}

function gone(item, why) {
  const place = items.findIndex((one) => key(one) === key(item));
  if (place < 0) return;
  items.splice(place, 1);
  if (place) return;
  note(why);
  show();
}

async function refill() {
  clearTimeout(waiting);
  if (out.offline()) return items.length ? null : show();
  try {
    const have = [...items, ...under()].map((item) => item.lease);
    const reply = await post("leases", { count: SHOWN, hold: false, have });
    const empty = !items.length;
    add(reply.items);
    if (empty) show();
  } catch (error) {
    if (!items.length) show();
    if (!error.passing) note(capital(error.message), "bad");
  }
}

const LATER_UNDO = "Offline: what is stored already can be taken back when the network is here again.";

async function undo() {
  if (busy) return;
  const one = out.takeBack();
  if (one) {
    if (!one.tried) done.delete(one.item.lease);
    count(one.item, -Number(one.body.kind === "label"), -1);
    mine.drop(own(one));
    return again(one.item);
  }
  if (out.offline()) return note(LATER_UNDO, "bad");
  busy = true;
  try {
    await out.settled();
    given += 1;
    const { item } = await post("undo", { request: requestId() }, 10);
    if (item) again(item);
    else note("Your last answer is taken back. Somebody else has the example now.");
    mine.load(); // the next answer need not wait for it
    await readProgress();
  } catch (error) {
    note(error.passing ? LATER_UNDO : capital(error.message), "bad");
  } finally {
    busy = false;
  }
}

function again(item) {
  items.unshift(item);
  say("Taken back.", describe(item).replace("Next", "Again"));
  note("Your last answer is taken back.");
  show();
}

// Now and then, and whenever the page comes back: what has changed meanwhile.
async function look() {
  out.retry();
  if ((await out.adopt()).length) out.send();
  await readProgress();
}

// What is answered in one tab is asked in no other.
const tabs = globalThis.BroadcastChannel ? new BroadcastChannel(page.keep) : null;
tabs?.addEventListener("message", ({ data }) => {
  const item = items.find((one) => key(one) === data);
  if (item) gone(item, "You have answered the last example in another tab.");
});

// ---------------------------------------------------------------- classes and guidelines that change

let stale = false; // whether the buttons are those of earlier classes

async function projectChanged() {
  const before = page.project;
  const now = await get("project");
  if (now.question !== before.question) return location.reload();
  page.project = now;
  const list = (classes, one, more) => (classes.length ? [`${classes.length === 1 ? one : `${classes.length} ${more}`}: ${classes.join(", ")}.`] : []);
  const changes = [
    ...list(now.classes.filter((label) => !before.classes.includes(label)), "A new class", "new classes"),
    ...list(before.classes.filter((label) => !now.classes.includes(label)), "A class is gone", "classes are gone"),
    ...(now.guidelines === before.guidelines ? [] : ["The guidelines have changed."]),
  ];
  showGuidelines();
  stale = true;
  // What is ticked already stays; the next example has the new buttons.
  if (!$("classes").querySelector("[role=checkbox][aria-checked=true]")) rebuild();
  $("news-words").textContent = changes.join(" ");
  $("news").hidden = !changes.length;
}

function rebuild() {
  stale = false;
  renew(page.project);
  lock();
}

$("news-close").addEventListener("click", () => ($("news").hidden = true));

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
function showGuidelines() {
  const shown = built(page.project.guidelines_shown);
  $("guidelines-text").replaceChildren(...(shown.length ? shown : [make("span", { class: "quiet" }, "There are none for this project yet.")]));
}
showGuidelines();
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
  if (mine.isOpen() || remark.isOpen() || $("keys-dialog").open || $("login-dialog").open) return;
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
    look();
  }
});

const events = {
  // What is answered and waits behind this one is still to be kept.
  ahead: () => (begun ? { then_lease: "ahead", have: items.map((item) => item.lease) } : {}),
  stored,
  refused,
  idle: () => {
    if (!items.length) refill();
    if (old) readProgress();
  },
  said,
  begins: (one) => mine.begins(one.item).slice(0, 80),
};

showProgress();
const left = await out.begin(events); // before examples come: what is answered is not asked again
await start(() => Promise.all([choice.ready.then(refill), mine.load()]));
// Tab goes on to the answer from here, and back to what stands above.
if (document.activeElement === document.body) $("main").focus({ preventScroll: true });
for (const one of left) {
  done.add(one.item.lease);
  mine.add(own(one));
}
out.send();
await readProgress();
setInterval(look, 20000);
addEventListener("online", look);
