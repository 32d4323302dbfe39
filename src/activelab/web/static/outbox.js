// Answers on their way to the server: one after the other, in their order, each under a name of its own, so that it
// counts once however often it is sent. They are kept (keep.js) from the moment they are given until they are stored;
// what the server refuses is kept until somebody has read why.

import { page, post, requestId } from "./api.js";
import { about, askAgain } from "./again.js";
import { rootOf } from "./asked.js";
import { $, make, number } from "./dom.js";
import * as keep from "./keep.js";

const SECONDS = 30; // after which an answer of the server is not waited for any more
const TAB = requestId();

export const outbox = [];
const refused = [];
let sending = null;
let trouble = null; // "offline", "busy", "out": why they wait
let late = false; // whether some wait since there was trouble
let looked = false; // whether what others left was taken
let events = null;

// A tab that lives holds a lock; what others have left is sent by whoever finds it. Where there are no locks, as
// without HTTPS, it is sent twice at worst, and counts once.
navigator.locks?.request(TAB, () => new Promise(() => {}));

// `events` are called: ahead() returns what an answer asks for besides; stored(one, reply), refused(one, words) and
// idle() when all is sent.
export async function begin(on) {
  events = on;
  return adopt();
}

// Takes what tabs that are gone have left; the answers among it.
export async function adopt() {
  if (!navigator.locks && looked) return []; // nobody knows whether the others live
  looked = true;
  const alive = new Set(navigator.locks ? (await navigator.locks.query()).held.map((lock) => lock.name) : []);
  const mine = new Set([...outbox, ...refused].map((one) => one.request));
  const left = (await keep.all()).filter((one) => !mine.has(one.request) && one.tab !== TAB && !alive.has(one.tab));
  for (const one of left.sort((a, b) => a.at - b.at)) {
    one.tab = TAB;
    store(one);
    if (one.why) refused.push(one);
    else outbox.push(Object.assign(one, { tried: true }));
  }
  showRefused();
  return left.filter((one) => !one.why && !one.undoes);
}

// What is shown of an example cannot be kept, and is made again of its content.
const store = (one) => keep.put({ ...one, item: { ...one.item, shown: undefined } });

// When all is sent, or cannot be now.
export async function settled() {
  while (waits()) await new Promise((resolve) => setTimeout(resolve, 20));
}

export const waits = () => sending !== null && trouble === null;
export const offline = () => trouble !== null;

export function push(one) {
  const entry = { request: requestId(), tab: TAB, at: Date.now(), ...one };
  outbox.push(entry);
  store(entry);
  send();
  if (late) show();
}

// The answers that wait and are not taken back.
const standing = () => outbox.filter((one) => !one.undoes && !outbox.some((other) => other.undoes === one.request));

// The last answer that is not stored, if there is one. It may have reached the server although nobody has said so:
// then it is taken back there.
export function takeBack() {
  const last = standing().at(-1);
  if (!last) return null;
  if (last.tried) push({ undoes: last.request, item: last.item });
  else {
    outbox.splice(outbox.indexOf(last), 1);
    keep.remove(last.request);
    show();
  }
  return last;
}

// Whether somebody is logged in again is looked up now and then: they may have done so in another tab.
export function retry() {
  if (trouble !== "out") return;
  trouble = null;
  send();
}

export function send() {
  if (trouble === "out") return;
  sending ??= sendAll().finally(() => {
    sending = null;
    events.idle();
  });
}

async function sendAll() {
  for (let wait = 1; outbox.length; ) {
    const next = outbox[0];
    next.tried = true;
    let words = null;
    let reply = null;
    try {
      reply = await (next.undoes
        ? post("undo", { request: next.request, of: next.undoes }, SECONDS, rootOf(next.item))
        : post(`leases/${next.item.lease}/answer`, { ...next.body, request: next.request, ...events.ahead() }, SECONDS, rootOf(next.item)));
    } catch (error) {
      if (error.passing) {
        trouble = error.status === 0 ? "offline" : "busy";
        show();
        await pause(wait);
        wait = Math.min(2 * wait, 15);
        continue;
      }
      if (error.loggedOut) {
        trouble = "out";
        return show();
      }
      words = error.message;
    }
    wait = 1;
    trouble = null;
    outbox.shift();
    const undone = outbox.find((one) => one.undoes === next.request);
    if (words !== null && !next.undoes && !undone) refuse(next, words);
    else keep.remove(next.request);
    if (words !== null && undone) {
      outbox.splice(outbox.indexOf(undone), 1);
      keep.remove(undone.request);
    }
    show();
    if (words === null) events.stored(next, reply);
    else events.refused(next, words);
  }
}

// Seconds go by, or the network is back.
const pause = (seconds) =>
  new Promise((resolve) => {
    setTimeout(resolve, 1000 * seconds);
    addEventListener("online", resolve, { once: true });
  });

// ---------------------------------------------------------------- what is said of them

const count = () => standing().length;
const kept = () => (count() === 1 ? "1 answer is kept here" : count() ? `${number(count())} answers are kept here` : "no answer is lost");

about.kept = kept;

function show() {
  late = outbox.length > 0 && (late || trouble !== null);
  const words = {
    offline: `Offline: ${kept()}${keep.works ? "" : " until you close the page"}`,
    busy: count() === 1 ? "1 answer waits to be stored" : `${number(count())} answers wait to be stored`,
    out: `You were logged out: ${kept()}`,
  }[trouble ?? (late ? "busy" : "none")];
  $("unsent").textContent = words ?? "";
  $("again").hidden = trouble !== "out";
  $("banner").hidden = !words;
}

$("again").addEventListener("click", async () => {
  if (!(await askAgain())) return;
  trouble = null;
  show();
  send();
});

function refuse(one, why) {
  one.why = why;
  refused.push(one);
  store(one);
  showRefused();
}

function showRefused() {
  $("refused").hidden = !refused.length;
  $("refused-words").textContent = refused.length === 1 ? "1 answer is not stored" : `${number(refused.length)} answers are not stored`;
  $("refused-list").replaceChildren(
    ...refused.map((one) =>
      make(
        "li",
        {},
        make("span", { class: "begin", dir: "auto" }, events.begins(one)),
        make("b", { dir: "auto" }, events.said(one)),
        make("span", { class: "quiet" }, one.why),
        make("button", { type: "button", class: "small", onclick: () => forget(one) }, "Forget"),
      ),
    ),
  );
}

function forget(one) {
  refused.splice(refused.indexOf(one), 1);
  keep.remove(one.request);
  showRefused();
}

addEventListener("beforeunload", (event) => {
  if (outbox.length) event.preventDefault();
});
