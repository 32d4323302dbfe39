// How an answer is chosen, by the kind of question: a button a class, a scale, or boxes to tick; where there are many
// classes, the likely ones as buttons and a field that finds the others.

import { get, page } from "./api.js";
import { make } from "./dom.js";
import { palette } from "./palette.js";

const KEYS = "123456789abdehijklmopqrtvwxyz"; // without those that do something else: c, f, g, n, s, u
const FOUND = 12; // more classes than this can be found by typing
const MANY = 24; // more than this are not all shown
const LIKELY = 9; // so many of them have buttons
const { question } = page.project;

export const several = question === "multilabel";
export const onScale = question === "ordinal";

// A label in words: of several classes all of them.
export const words = (label) => (Array.isArray(label) ? label.join(", ") || "none of these" : label);
// What somebody said of one class.
export const yesNo = (label) => (label.length ? "yes" : "no");
export const same = (one, other) => words(one) === words(other);

// ------------------------------------------------------------ the classes

// What is known of the classes of a project: `entries`, those of a group beside each other, and which are usual.
const NOTHING = { key: "", colour: "", ink: "", group: "", description: "", example: "" };
const known = new Map(); // by project
function readClasses(of) {
  const { classes, class_notes: notes } = of.project;
  const all = classes.map((label) => {
    const one = { ...NOTHING, ...notes[label], label, name: label };
    const cut = of.onScale || one.group ? -1 : label.lastIndexOf(" > ");
    return cut > 0 ? { ...one, group: label.slice(0, cut), name: label.slice(cut + 3) } : one;
  });
  of.entries = [...Map.groupBy(all, (one) => one.group).values()].flat();
}
function knownOf(project) {
  if (!known.has(project)) {
    const of = { project, several: project.question === "multilabel", onScale: project.question === "ordinal", usual: null, reading: null };
    readClasses(of);
    known.set(project, of);
  }
  return known.get(project);
}

const described = (one) => Boolean(one && (one.description || one.example));

// Labels by their keys: own ones, then those of classes that are called 0 to 9; `listed` get those that are left.
function keysOf({ entries, onScale }, listed) {
  const keys = new Map();
  for (const one of entries) if (one.key) keys.set(one.key, one.label);
  const bare = (one) => ![...keys.values()].includes(one.label);
  for (const one of entries) if (/^[0-9]$/.test(one.label) && !keys.has(one.label) && bare(one)) keys.set(one.label, one.label);
  const last = entries.at(-1);
  if (onScale && entries.length === 10 && !keys.has("0") && bare(last)) keys.set("0", last.label);
  const free = [...KEYS].filter((key) => !keys.has(key));
  for (const one of listed.filter(bare)) if (free.length) keys.set(free.shift(), one.label);
  return keys;
}

// What is likely whatever the example: read once, so that buttons and keys stay as they are while a page is open.
const readUsual = (of) =>
  (of.reading ??= get("classes/usual", of.project.root).then(
    (found) => (of.usual = found),
    () => (of.usual = { recent: [], frequent: [] }),
  ));
const those = (of, labels) => labels.map((label) => of.entries.find((one) => one.label === label)).filter(Boolean);
const likely = (of) => new Set([...new Set([...those(of, of.usual.recent).slice(0, 4), ...those(of, of.usual.frequent), ...of.entries])].slice(0, LIKELY));
const firstOnes = (of) => [...new Set([...those(of, of.usual.recent).slice(0, 5), ...those(of, of.usual.frequent)])].slice(0, LIKELY);
function remember({ usual }, labels) {
  if (usual) usual.recent = [...new Set([...labels, ...usual.recent])].slice(0, 12);
}

const badge = (key) => (key ? make("kbd", { "aria-hidden": "true" }, key) : make("span", { class: "nokey" }));

// Whether one class applies, instead of the choice of all. `give` is called with a list of the class, or an empty one.
// What it returns: show(label) asks about a class, and hides itself without one; press(key) as of `chooser`.
export function yesOrNo(box, give) {
  const title = make("span", { class: "name", dir: "auto" });
  let asked = null;
  const button = (key, word, value) =>
    make(
      "button",
      { type: "button", class: "answer", "aria-keyshortcuts": key, onclick: (event) => take(event.currentTarget, value()) },
      badge(key),
      make("span", { class: "name" }, word),
    );
  const take = (pressed, label) => {
    flash(pressed);
    give(label);
  };
  const [yes, no] = [button("y", "Yes", () => [asked]), button("n", "No", () => [])];
  box.classList.add("one");
  box.append(make("h2", { id: `${box.id}-asked` }, "Is it also ", title, "?"), make("div", { class: "classes", role: "group", "aria-labelledby": `${box.id}-asked` }, yes, no));
  return {
    buttons: [yes, no],
    show: (label) => {
      asked = label;
      box.hidden = label === null;
      title.textContent = label ?? "";
    },
    press: (key) => {
      if (asked === null || !(key === "y" || key === "n")) return false;
      if (key === "y") take(yes, [asked]);
      else take(no, []);
      return true;
    },
  };
}

// ------------------------------------------------------------ choosers

const living = new Set();
let count = 0;

// The classes of a project are others now, as `now` of the API says: every chooser is made again.
export function renew(now, project = page.project) {
  Object.assign(project, now);
  readClasses(knownOf(project));
  for (const one of living) {
    if (one.box.isConnected) one.build();
    else living.delete(one);
  }
}

// Fills a box. `give` is called with what was chosen: a class, or a list of classes.
// What it returns: press(key) answers by a key and says whether it is one of its own; reset() forgets what is marked;
// keys() are the classes with their keys; `ready` is when all is there.
export function chooser(box, give, { keyed = true, chosen = null, name = "Classes", project = page.project } = {}) {
  const of = knownOf(project);
  const id = `chooser-${++count}`;
  let made;
  let keys = new Map();
  const build = () => {
    const { entries, several, onScale, usual } = of;
    const many = !onScale && entries.length > MANY;
    const finds = !onScale && entries.length > FOUND;
    if (finds && !usual) {
      box.replaceChildren();
      made = { buttons: [] };
      return readUsual(of).then(build);
    }
    const mine = [chosen ?? []].flat();
    const shown = many ? likely(of) : null;
    const listed = many ? entries.filter((one) => shown.has(one) || mine.includes(one.label)) : entries;
    keys = keyed ? keysOf(of, listed) : new Map();
    const keyOf = new Map([...keys].map(([key, label]) => [label, key]));
    made = (several ? boxes : onScale ? scale : choices)(box, give, { of, id, keyOf, listed, many, finds, keyed, chosen });
    return Promise.resolve();
  };
  box.setAttribute("aria-label", name);
  for (const one of living) if (one.box === box) living.delete(one);
  living.add({ box, build });
  const ready = build();
  return {
    ready,
    get buttons() {
      return made.buttons;
    },
    reset: () => made.reset?.(),
    press: (key) => {
      if (key === "/" && made.find) made.find();
      else if (keys.has(key)) made.take(of.entries.find((one) => one.label === keys.get(key)));
      else return made.press?.(key) ?? false;
      return true;
    },
    keys: () => {
      const keyOf = new Map([...keys].map(([key, label]) => [label, key]));
      return of.entries.map((one) => ({ ...one, key: keyOf.get(one.label) ?? "" })).filter((one) => one.key || of.entries.length <= MANY);
    },
  };
}

// A button of a class, in its colour, with its meaning.
const entryOf = new WeakMap();
function classButton(one, attributes, ...parts) {
  const button = make("button", { type: "button", ...attributes }, parts);
  if (one.colour) {
    button.classList.add("own");
    button.style.setProperty("--own", one.colour);
    button.style.setProperty("--own-ink", one.ink);
  }
  if (one.label.length > 60) button.classList.add("lengthy");
  entryOf.set(button, one);
  return button;
}
const nameOf = (one, whole = false) => make("span", { class: "name", dir: "auto" }, whole ? one.label : one.name);
const wordy = (one) => (one.name === one.label ? null : one.label);

// Buttons side by side, below the headings of their groups; what does not fit is counted.
function grid(listed, buttons, many) {
  const groups = Map.groupBy(listed, (one) => (many ? "" : one.group));
  const ofGroup = (ones) => ones.map((one) => buttons.get(one.label));
  const parts = [...groups].flatMap(([group, ones]) =>
    group ? make("div", { class: "group", role: "group", "aria-label": group }, make("div", { class: "grouphead", "aria-hidden": "true" }, group), ofGroup(ones)) : [groups.size > 1 ? make("div", { class: "grouphead" }) : null, ofGroup(ones)].flat(),
  );
  const area = make("div", { class: listed.length > 8 ? "classes many" : "classes", role: "presentation" }, parts);
  const more = make("span", { class: "below", "aria-hidden": "true" });
  const look = () => {
    const end = area.getBoundingClientRect().bottom;
    const hidden = [...buttons.values()].filter((one) => one.getBoundingClientRect().bottom > end + 8).length;
    more.textContent = hidden ? `${hidden} more ↓` : "";
  };
  area.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(() => requestAnimationFrame(look)).observe(area);
  return make("div", { class: "fits", role: "presentation" }, area, more);
}

// A line that says what a class means: that which is pointed at, has the focus, or is held by a finger.
function meaning(area, id, entries, entryAt) {
  if (!entries.some(described)) return { line: null, tell: () => {} };
  const idle = `${matchMedia("(hover: none)").matches ? "Hold" : "Point at"} a class to read what it means.`;
  const line = make("p", { class: "about quiet", id: `${id}-about` }, idle);
  const tell = (one) =>
    line.replaceChildren(
      ...(described(one) ? [make("b", { dir: "auto" }, one.label), make("span", { dir: "auto" }, ` ${one.description} `), one.example ? make("i", { dir: "auto" }, `e.g. ${one.example}`) : ""] : [idle]),
    );
  const of = (event) => {
    const target = event.target.closest?.("button, [role=option]");
    return target ? (entryOf.get(target) ?? entryAt?.(target)) : undefined;
  };
  let timer = null;
  let held = false;
  const on = (names, act) => names.split(" ").forEach((name) => area.addEventListener(name, act, name === "click"));
  on("pointerover", (event) => event.pointerType === "touch" || tell(of(event)));
  on("focusin", (event) => tell(of(event)));
  on("focusout pointerleave", (event) => event.pointerType === "touch" || tell(null));
  on("pointerdown", (event) => {
    held = false;
    if (event.pointerType !== "touch" || !described(of(event))) return;
    timer = setTimeout(() => {
      held = true;
      tell(of(event));
    }, 450);
  });
  on("pointerup pointercancel pointermove", (event) => {
    if (event.type !== "pointermove" || Math.hypot(event.movementX, event.movementY) > 8) clearTimeout(timer);
  });
  on("contextmenu", (event) => held && event.preventDefault());
  // A class that was held was read, not chosen.
  on("click", (event) => {
    if (!held) return;
    held = false;
    event.preventDefault();
    event.stopPropagation();
  });
  for (const button of area.querySelectorAll("button")) if (described(entryOf.get(button))) button.setAttribute("aria-describedby", line.id);
  return { line, tell };
}

// What stands in a box: buttons, or a field with the likely ones; their meaning; what comes below.
function fill(box, buttons, { of, id, listed, many, finds }, acts, ...below) {
  const area = make("div", { class: "choosing", role: "presentation" });
  const resting = grid(listed, buttons, many);
  let finder = null;
  let said = null;
  if (finds) finder = palette(of.entries, { id: `${id}-find`, resting, first: () => firstOnes(of), tell: (one) => said?.tell(one), ...acts });
  area.append(finder ? finder.element : resting);
  said = meaning(area, id, of.entries, finder?.entryOf);
  if (said.line) area.append(said.line);
  box.classList.add("chooser");
  box.replaceChildren(area, ...below);
  return finder;
}

function flash(button) {
  if (!button || button.classList.contains("chosen")) return;
  button.classList.add("chosen");
  setTimeout(() => button.classList.remove("chosen"), 220);
}

// One of several classes: each button answers.
function choices(box, give, about) {
  const { of, keyOf, listed, many, keyed, chosen } = about;
  box.setAttribute("role", "group");
  const take = (one) => {
    flash(buttons.get(one.label));
    remember(of, [one.label]);
    give(one.label);
  };
  const buttons = new Map(
    listed.map((one) => [
      one.label,
      classButton(
        one,
        {
          class: same(one.label, chosen) ? "answer chosen" : "answer",
          "aria-label": wordy(one),
          "aria-keyshortcuts": keyOf.get(one.label),
          "aria-pressed": keyed ? null : String(same(one.label, chosen)),
          onclick: () => take(one),
        },
        keyed ? badge(keyOf.get(one.label)) : null,
        nameOf(one, many),
      ),
    ]),
  );
  const finder = fill(box, buttons, about, { take, send: () => false, isOn: null });
  return { buttons: [...buttons.values()], take, find: finder?.focus };
}

// A point of a scale. A key or a click answers; arrows mark a point, which Enter or Space gives.
function scale(box, give, about) {
  const { keyOf, keyed, chosen } = about;
  const { entries, project } = about.of;
  const classes = entries.map((one) => one.label);
  const ends = project.scale_ends;
  box.setAttribute("role", "radiogroup");
  box.classList.add("scale");
  const wordy = classes.some((label) => label.length > 4);
  box.classList.toggle("wordy", wordy);
  box.style.setProperty("--points", classes.length);
  box.style.setProperty("--half", Math.ceil(classes.length / 2));
  box.classList.toggle("long", classes.length > 7);
  const last = classes.length - 1;
  const meant = ends.length ? ends : wordy ? [] : ["lowest", "highest"];
  const says = (place) => (meant.length && (place === 0 || place === last) ? `${classes[place]}, ${meant[place ? 1 : 0]}` : null);
  let marked = classes.findIndex((label) => label === chosen);
  const take = (one) => {
    flash(buttons[entries.indexOf(one)]);
    give(one.label);
  };
  const buttons = entries.map((one, place) =>
    classButton(
      one,
      { role: "radio", class: one.label === chosen ? "answer chosen" : "answer", "aria-keyshortcuts": keyOf.get(one.label), "aria-label": says(place), onclick: () => take(one) },
      nameOf(one),
      keyed && keyOf.get(one.label) !== one.label ? badge(keyOf.get(one.label)) : null,
    ),
  );
  const show = (focus) => {
    buttons.forEach((button, place) => {
      button.setAttribute("aria-checked", String(place === marked));
      button.tabIndex = place === Math.max(marked, 0) ? 0 : -1;
    });
    if (focus) buttons[marked]?.focus();
  };
  const move = (key) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[key];
    if (key === "Home" || key === "End") marked = key === "Home" ? 0 : last;
    else if (marked < 0) marked = step > 0 ? 0 : last;
    else marked = Math.min(Math.max(marked + step, 0), last);
    show(true);
  };
  const points = make("div", { class: "points", role: "presentation" }, buttons);
  points.addEventListener("keydown", (event) => {
    if (!["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    move(event.key);
  });
  const edge = (place) => make("span", { class: "quiet" }, meant[place]);
  const { line } = meaning(points, about.id, entries);
  box.replaceChildren(points, ...(meant.length ? [make("div", { class: "ends", "aria-hidden": "true" }, edge(0), edge(1))] : []), ...(line ? [line] : []));
  show(false);
  return {
    buttons,
    take,
    reset: () => {
      const inside = box.contains(document.activeElement);
      marked = -1;
      show(false);
      if (inside) buttons[0].focus();
    },
    press: (key) => {
      if (key !== "ArrowRight" && key !== "ArrowLeft") return false;
      move(key);
      return true;
    },
  };
}

// Any number of classes: keys and clicks tick, Enter gives what is ticked. None has a button of its own, so that
// nobody gives it by mistake.
function boxes(box, give, about) {
  const { of, keyOf, listed, many, keyed, chosen } = about;
  const { entries } = of;
  box.setAttribute("role", "group");
  box.classList.add("boxes");
  const ticked = new Set(Array.isArray(chosen) ? chosen : []);
  const none = !keyed || [...keyOf.values()].includes("0") ? null : "0";
  const take = (one) => {
    if (!ticked.delete(one.label)) ticked.add(one.label);
    show();
  };
  const tick = (one) => [
    one.label,
    classButton(
      one,
      { role: "checkbox", class: "answer tick", "aria-label": wordy(one), "aria-keyshortcuts": keyOf.get(one.label), onclick: () => take(one) },
      make("span", { class: "box", "aria-hidden": "true" }),
      nameOf(one, many),
      keyed ? badge(keyOf.get(one.label)) : null,
    ),
  ];
  const buttons = new Map(listed.map(tick));
  const found = many ? make("div", { class: "found", role: "group", "aria-label": "Also ticked" }) : null; // by typing
  const send = () => {
    const label = entries.filter((one) => ticked.has(one.label)).map((one) => one.label);
    const order = of.project.classes;
    if (label.length) {
      remember(of, label);
      give(label.sort((one, other) => order.indexOf(one) - order.indexOf(other)));
    }
    return label.length > 0;
  };
  const store = make("button", { type: "button", class: "primary", "aria-keyshortcuts": keyed ? "Enter" : null, onclick: send }, keyed ? make("kbd", { "aria-hidden": "true" }, "↵") : null, make("span", {}, "Store these"));
  const nothing = make("button", { type: "button", class: "answer", "aria-keyshortcuts": none, onclick: () => give([]) }, none ? badge(none) : null, make("span", {}, "None of these"));
  const finder = fill(box, buttons, about, { take, send, isOn: (label) => ticked.has(label) }, found ?? "", make("div", { class: "row send" }, nothing, store));
  const show = () => {
    const extra = new Map(entries.filter((one) => ticked.has(one.label) && !buttons.has(one.label)).map(tick));
    found?.replaceChildren(...extra.values());
    for (const [label, button] of [...buttons, ...extra]) button.setAttribute("aria-checked", String(ticked.has(label)));
    store.disabled = !ticked.size;
    finder?.showOn();
  };
  box.firstChild.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.repeat || !event.target.matches("[role=checkbox]")) return;
    event.preventDefault();
    event.stopPropagation();
    send();
  });
  show();
  return {
    buttons: [...buttons.values()],
    take,
    find: finder?.focus,
    reset: () => {
      ticked.clear();
      show();
    },
    press: (key) => {
      if (key === none && none) give([]);
      else if (key === "Enter") send();
      else return false;
      return true;
    },
  };
}
