// The annotation page. Answers are shown as given at once and leave by outbox.js; the next examples are here before
// they are needed. Until the first answer nothing is kept from others: what is shown then is only looked at.

import { at, get, page, post, requestId } from "./api.js";
import { group, of, questions, rootOf } from "./asked.js";
import { blocks, inWords } from "./blocks.js";
import { onScale, renew, several } from "./choose.js";
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
const REASONS = group ? ["It is damaged or empty", "The questions do not fit it"] : [
  "It is damaged or empty",
  onScale ? "The question does not fit it" : several ? "It fits a class that is missing" : "It fits no class",
  ...(onScale || several ? [] : ["It fits several classes"]),
  CANNOT_TELL,
];

const items = []; // the first is shown
const done = new Set(); // leases that were answered here; a late reply brings them once more
const answered = new Map(); // of examples: what was said here to each question
const givenAs = new Map(); // of what was answered here: which of those that were given it is
let yours = group ? questions.reduce((sum, one) => sum + one.yours, 0) : page.account.num_labels;
let progress = null;
let given = 0; // answers that were given or taken back here
let old = true; // whether the progress has to be read again
let shownAt = 0;
let hidden = 0;
let waiting = null;
let busy = false;
let begun = false; // whether anything was answered: only then examples are kept for us
let fetching = null; // an image far ahead
let filling = false; // whether more of several questions is fetched
let finished = false; // whether all that was asked of an example is answered since more of several questions was fetched
let turned = null; // the block that somebody went to
let unsaid = null; // what was answered, while the next example, which is said with it, is not here yet

// ---------------------------------------------------------------- what is shown

function show() {
  const box = $("example");
  const item = items[0];
  const stays = Boolean(item?.shown && item.shown[0] === box.firstChild);
  clearTimeout(waiting);
  shownAt = performance.now();
  hidden = 0;
  if (stale.size) rebuild();
  for (const block of all) if (!stays || !group) block.reset();
  showBlocks();
  sayKeys();
  lock();
  if (item) {
    item.shown ??= showContent(item.content);
    for (const one of pending()) one.shown = item.shown;
    if (!stays || !group) {
      box.replaceChildren(...item.shown);
      started(item.shown);
      box.scrollTop = 0;
      scrollTo(0, 0);
    }
    if (unsaid) say(unsaid, describe(item));
    box.setAttribute("aria-busy", "false");
    box.tabIndex = box.scrollHeight > box.clientHeight ? 0 : -1;
    prefetch();
  } else if (out.waits() || filling) {
    box.replaceChildren(make("p", { class: "quiet waiting" }, "Loading …"));
    box.setAttribute("aria-busy", "true");
  } else {
    showNothing();
  }
}

// What is asked about the example that is shown, and what was said of it.
function showBlocks() {
  const inside = document.activeElement?.closest(".question");
  const said = answered.get(items[0]?.example);
  for (const block of all) block.show(pending().find((one) => of(one) === block.question) ?? null, said?.get(block.question), false);
  if (!turned?.item) turned = all.find((block) => block.item) ?? null;
  if (!group) return;
  $("questions").hidden = !items.length;
  if (turned) turned.box.classList.add("on");
  // The keyboard goes on where the next answer is, but at no answer, which one more Enter would give.
  if (inside && turned && inside !== turned.box) turned.box.focus({ preventScroll: true });
  turned?.box.scrollIntoView({ block: "nearest" });
}
const pending = () => (group ? items.filter((one) => one.example === items[0].example) : items.slice(0, 1));
const current = () => turned?.item ?? items[0];
function turn(block) {
  if (!block.item || block === turned) return;
  turned?.box.classList.remove("on");
  turned = block;
  block.box.classList.add("on");
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
      const { reason, seconds, automatic, root } = await why();
      if (items.length || out.waits()) return;
      if (reason === "practice") return practise(root);
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

// Of several questions the reason that ends first.
async function why() {
  const all = await Promise.all(questions.map(async ({ root }) => ({ ...(await get("why-nothing", root)), root })));
  const order = ["practice", "training", "held", "share", "seen", "done", "budget", "empty"];
  return all.sort((one, other) => order.indexOf(one.reason) - order.indexOf(other.reason))[0];
}

const leaseOf = (one) => `${one.question ?? ""}/${one.lease}`;
const key = (one) => `${one.question ?? ""}/${one.example}/${one.asked ?? ""}`;
const under = () => out.outbox.filter((one) => !one.undoes).map((one) => one.item);

// What is here already, only looked at so far, may be kept for us now. What was answered after it was asked for is not
// asked again, though it comes under another lease.
function add(more, before = Infinity) {
  const here = new Map([...items, ...under()].map((one) => [key(one), one]));
  for (const item of more) {
    if (done.has(leaseOf(item)) || givenAs.get(key(item)) > before) continue;
    const known = here.get(key(item));
    if (known) Object.assign(known, { lease: item.lease, price: item.price });
    else if (group) items.splice(items.findLastIndex((one) => one.example === item.example) + 1 || items.length, 0, item);
    else items.push(item);
  }
  prefetch();
}

// The next images are fetched side by side, the others one after the other, lest answers wait for them.
function prefetch() {
  for (const [place, item] of items.entries()) {
    item.shown ??= group ? items.find((one) => one.example === item.example && one.shown)?.shown : undefined;
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
  if (group) {
    const goes = answered.has(item.example) ? "" : `${begin(item.content).slice(0, 300)}. `;
    return `Next: ${goes}${item.asked === null ? of(item).title : `Is it also ${item.asked}?`}`;
  }
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
    const each = await Promise.all(questions.map((one) => get(`progress?since=${goal.today()}`, one.root)));
    for (const [place, read] of each.entries()) {
      const question = questions[place];
      if (read.version !== question.version) await projectChanged(question);
      if (read.messages) await showMessages(question.root);
      if (read.practise) return practise(question.root);
    }
    if (given !== before) return;
    old = false;
    progress = together(each);
    yours = progress.yours;
    showProgress();
  } catch {
    // It is read again soon.
  }
}

// Of several questions the sums; the pace is that of one answer after the other.
function together(each) {
  if (!group) return each[0];
  const sum = (name) => each.reduce((all, one) => all + (one[name] ?? 0), 0);
  const every = (name) => each.every((one) => one[name] !== null);
  return {
    yours: sum("yours"),
    collected: sum("collected"),
    budget: every("budget") ? sum("budget") : null,
    today: sum("today"),
    goal: sum("goal") || null,
    pace: every("pace") ? each.length / each.reduce((all, one) => all + 1 / one.pace, 0) : null,
  };
}

// Whoever was sent to practise again gets nothing more here; what they answered is stored.
const practise = (root) => location.assign(at("/tour", root));

// ---------------------------------------------------------------- answers

const said = (one) => (group ? `${of(one.item).title}: ` : "") + inWords(one);
const own = ({ item, body }) => ({ example: item.example, content: item.content, asked: item.asked, question: item.question, ...body });

function answer(kind, { label = null, reason = null, item = current() } = {}) {
  if (!item || busy || (kind !== "skip" && isBroken(item.shown))) return;
  // Whoever passes an example over is asked no more about it: the first of each question says so.
  const asked = kind === "skip" ? pending() : [item];
  const first = kind === "skip" ? asked.filter((one, place) => asked.findIndex((other) => of(other) === of(one)) === place) : asked;
  for (let place = items.length - 1; place >= 0; place--) {
    if (kind === "skip" ? items[place].example === item.example : items[place] === item) items.splice(place, 1);
  }
  turned = null; // the first that is left is next
  const remarks = remark.take(kind, reason);
  const seconds = Math.min(Math.max((performance.now() - shownAt - hidden) / 1000, 0), 86400);
  begun = true;
  finished ||= group && items[0]?.example !== item.example;
  for (const [place, one] of first.entries()) store({ item: one, body: { kind, label, ...remarks, seconds: place ? 0 : seconds } });
  unsaid = kind === "unsure" ? "Stored that you cannot tell." : kind === "skip" ? "Skipped." : `${said({ item, body: { kind, label } })}.`;
  show();
}

function remember(one) {
  const { item } = one;
  done.add(leaseOf(item));
  givenAs.set(key(item), given + 1);
  if (group) answered.set(item.example, (answered.get(item.example) ?? new Map()).set(of(item), inWords(one)));
}

function store(one) {
  const { item, body } = one;
  remember(one);
  out.push(one);
  tabs?.postMessage(key(item));
  count(item, Number(body.kind === "label"), 1);
  mine.add(own(one));
}

// What comes back of an answer, and of one that is taken back.
function stored(one, reply) {
  const empty = !items.length;
  if (one.undoes) {
    if (reply.item) add([{ ...reply.item, question: one.item.question }]);
    else gone(one.item, "Somebody else has the example now.");
  } else {
    add(reply.items);
    lose((one) => reply.lost.includes(one.lease));
  }
  if (empty && items.length) show();
}

// What is asked of others now; what is looked at stays.
function lose(isLost) {
  for (let place = items.length - 1; place > 0; place--) {
    if (isLost(items[place]) && !(group && items[place].example === items[0].example)) items.splice(place, 1);
  }
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
  const shown = items[0].example;
  items.splice(place, 1);
  if (place && !(group && item.example === shown)) return;
  note(why);
  show();
}

// What is asked of the examples that come next. As long as nothing was answered they are only looked at; of several
// questions all that is in hand is kept from then on, since an answer brings nothing with it.
async function refill() {
  clearTimeout(waiting);
  if (out.offline()) return items.length ? null : show();
  if (filling) return;
  filling = group;
  finished = false;
  const [empty, asked, before] = [!items.length, pending().length, given];
  try {
    const here = [...items, ...under()];
    if (group) {
      const have = Object.fromEntries(questions.map(({ name }) => [name, here.filter((one) => one.question === name).map((one) => one.lease)]));
      const reply = await post("leases/together", begun ? { count: "ahead", have } : { count: SHOWN, hold: false, have });
      add(reply.items, before);
      lose((one) => reply.lost[one.question]?.includes(one.lease));
    } else add((await post("leases", { count: SHOWN, hold: false, have: here.map((one) => one.lease) })).items, before);
    filling = false;
    if (empty) show();
    else if (pending().length !== asked) showBlocks(); // what is marked stays
  } catch (error) {
    filling = false;
    if (!items.length) show();
    if (!error.passing) note(capital(error.message), "bad");
  }
}

const LATER_UNDO = "Offline: what is stored already can be taken back when the network is here again.";

// What was passed over in one go comes back in one go.
async function undo() {
  if (busy) return;
  await listed;
  const last = mine.latest();
  const alike = () => group && last?.kind === "skip" && mine.latest()?.kind === "skip" && mine.latest().example === last.example;
  while ((await undoOne()) && (await listed, alike()));
}
let listed = null; // when one's own answers are read, which say to which question the last one is

async function undoOne() {
  const one = out.takeBack();
  if (one) {
    if (!one.tried) done.delete(leaseOf(one.item));
    count(one.item, -Number(one.body.kind === "label"), -1);
    mine.drop(own(one));
    again(one.item);
    return true;
  }
  if (out.offline()) return note(LATER_UNDO, "bad");
  busy = true;
  try {
    await out.settled();
    given += 1;
    const { question } = mine.latest() ?? {};
    const { item } = await post("undo", { request: requestId() }, 10, rootOf({ question }));
    if (item) mine.drop({ ...item, question });
    if (item) again({ ...item, question });
    else note("Your last answer is taken back. Somebody else has the example now.");
    const read = mine.load(); // the next answer need not wait for it, nor for the progress
    if (group) listed = read;
    readProgress();
    return true;
  } catch (error) {
    note(error.passing ? LATER_UNDO : capital(error.message), "bad");
    return false;
  } finally {
    busy = false;
  }
}

function again(item) {
  givenAs.delete(key(item));
  answered.get(item.example)?.delete(of(item));
  item.shown ??= items.find((one) => one.example === item.example)?.shown;
  turned = all.find((block) => block.question === of(item));
  turned.reset();
  const there = items.findIndex((one) => key(one) === key(item)); // what was fetched meanwhile may bring it, too
  if (there >= 0) items.splice(there, 1);
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

const stale = new Set(); // questions whose buttons are those of earlier classes

async function projectChanged(before) {
  const now = await get("project", before.root);
  if (now.question !== before.question) return location.reload();
  const earlier = { ...before };
  Object.assign(before, now);
  const list = (classes, one, more) => (classes.length ? [`${classes.length === 1 ? one : `${classes.length} ${more}`}: ${classes.join(", ")}.`] : []);
  const changes = [
    ...list(now.classes.filter((label) => !earlier.classes.includes(label)), "A new class", "new classes"),
    ...list(earlier.classes.filter((label) => !now.classes.includes(label)), "A class is gone", "classes are gone"),
    ...(now.guidelines === earlier.guidelines ? [] : ["The guidelines have changed."]),
  ];
  showGuidelines();
  stale.add(before);
  // What is ticked already stays; the next example has the new buttons.
  if (!document.querySelector(".answers [role=checkbox][aria-checked=true]")) rebuild();
  $("news-words").textContent = changes.join(" ");
  $("news").hidden = !changes.length;
}

function rebuild() {
  for (const question of stale) renew(question, question);
  stale.clear();
  lock();
}

$("news-close").addEventListener("click", () => ($("news").hidden = true));

// ---------------------------------------------------------------- buttons and keys

const all = blocks((block, label) => block.item && answer("label", { label, item: block.item }), turn);
const give = (label) => items.length && answer("label", { label });

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
  const shown = questions.flatMap((one) => (one.guidelines_shown.length ? [group ? make("h3", { dir: "auto" }, one.title) : "", ...built(one.guidelines_shown, one.root)] : []));
  $("guidelines-text").replaceChildren(...(shown.length ? shown : [make("span", { class: "quiet" }, "There are none for this project yet.")]));
}
showGuidelines();
$("guide").addEventListener("click", () => guidelines());
$("guidelines-close").addEventListener("click", () => guidelines(false));
$("shortcuts").checked = localStorage.getItem("shortcuts") !== "off";
$("shortcuts").addEventListener("change", () => {
  localStorage.setItem("shortcuts", $("shortcuts").checked ? "on" : "off");
});

const asker = () => (turned ?? all[0]).asker;
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
    const remarks = remark.actions(current());
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
  const classes = (turned ?? all[0]).choice.keys().flatMap((one) => row(one.key, make("b", {}, one.label), one.description ? ` ${one.description}` : "", one.example ? make("i", {}, ` e.g. ${one.example}`) : ""));
  const answers = current()?.asked ? YES_NO.flatMap(([key, said]) => row(key, said)) : classes;
  const rest = [...Object.entries(ACTIONS).map(([key, [said]]) => [key === "Backspace" ? "⌫" : key, said]), ...Object.keys(remark.actions(current())).map((key) => [key, key === "f" ? "Flag" : "Note"]), ["/", "Find a class, where there are many"], [several ? "↵" : "↓", several ? "Store what is ticked" : "Scroll a long example"]];
  $("keys-list").replaceChildren(...answers, ...rest.flatMap(([key, said]) => row(key, said)));
  $("keys-dialog").showModal();
}
$("keys").addEventListener("click", showKeys);
$("keys-close").addEventListener("click", () => $("keys-dialog").close());

// What a swipe to the left and to the right does: of two answers each one, else what does no harm.
function sides() {
  if (group) return [["skip", askReason], ["undo", undo]];
  if (items[0]?.asked) return all[0].single.buttons.map((one) => [one.querySelector(".name").textContent, () => one.click()]);
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
  ahead: () => (begun && !group ? { then_lease: "ahead", have: items.map((item) => item.lease) } : {}),
  stored,
  refused,
  idle: () => {
    if (!items.length || finished) refill();
    if (old) readProgress();
  },
  said,
  begins: (one) => mine.begins(one.item).slice(0, 80),
};

showProgress();
const left = await out.begin(events); // before examples come: what is answered is not asked again
await start(() => Promise.all([Promise.all(all.map((one) => one.ready)).then(refill), mine.load()]));
// Tab goes on to the answer from here, and back to what stands above.
if (document.activeElement === document.body) $("main").focus({ preventScroll: true });
for (const one of left) {
  remember(one);
  mine.add(own(one));
}
out.send();
await readProgress();
setInterval(look, 20000);
addEventListener("online", look);
