// How an answer is chosen, by the kind of question: a button a class, a scale, or boxes to tick.

import { page } from "./api.js";
import { make } from "./dom.js";

const KEYS = "123456789abcdefhijklmnopqrtvwxyz"; // without g, s and u, which do something else
let { classes, scale_ends: ends } = page.project;
const { question } = page.project;

// The classes as they are now; choosers made from then on have them.
export function renew(project) {
  ({ classes, scale_ends: ends } = project);
}

export const several = question === "multilabel";
export const onScale = question === "ordinal";

// A label in words: of several classes all of them.
export const words = (label) => (Array.isArray(label) ? label.join(", ") || "none of these" : label);
// What somebody said of one class.
export const yesNo = (label) => (label.length ? "yes" : "no");
export const same = (one, other) => words(one) === words(other);

// Classes that are called 0 to 9 have these keys; the others take those that are left, in their order.
function keysOf() {
  const keys = classes.map((label) => (/^[0-9]$/.test(label) ? label : null));
  if (onScale && classes.length === 10) keys[9] ??= keys.includes("0") ? null : "0";
  const free = [...KEYS].filter((key) => !keys.includes(key));
  return keys.map((key) => key ?? free.shift());
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

// Fills a box. `give` is called with what was chosen: a class, or a list of classes.
// What it returns: press(key) answers by a key and says whether it is one of its own; reset() forgets what is
// marked; find(text) shows classes that match; pick() takes the first of these.
export function chooser(box, give, { keyed = true, chosen = null, name = "Classes" } = {}) {
  const keys = keyed ? keysOf() : classes.map(() => null);
  box.setAttribute("aria-label", name);
  const made = (several ? boxes : onScale ? scale : choices)(box, give, keys, keyed, chosen);
  const { buttons } = made;
  return {
    buttons,
    reset: made.reset ?? (() => {}),
    press: (key) => {
      const place = keys.indexOf(key);
      if (place < 0) return made.press?.(key) ?? false;
      made.take(place);
      return true;
    },
    find: (text) => {
      const wanted = text.trim().toLowerCase();
      buttons.forEach((button, place) => {
        button.hidden = !classes[place].toLowerCase().includes(wanted);
      });
    },
    pick: () => {
      const place = buttons.findIndex((button) => !button.hidden);
      if (place >= 0) made.take(place);
    },
  };
}

// One of several classes: each button answers.
function choices(box, give, keys, keyed, chosen) {
  box.setAttribute("role", "group");
  box.classList.add("classes");
  box.classList.toggle("many", classes.length > 8 || !keyed);
  const take = (place) => {
    flash(buttons[place]);
    give(classes[place]);
  };
  const buttons = classes.map((label, place) =>
    make(
      "button",
      {
        type: "button",
        class: same(label, chosen) ? "answer chosen" : "answer",
        "aria-keyshortcuts": keys[place],
        "aria-pressed": keyed ? null : String(same(label, chosen)),
        onclick: () => take(place),
      },
      keyed ? badge(keys[place]) : null,
      make("span", { class: "name", dir: "auto" }, label),
    ),
  );
  box.replaceChildren(...buttons);
  return { buttons, take };
}

function flash(button) {
  if (button.classList.contains("chosen")) return;
  button.classList.add("chosen");
  setTimeout(() => button.classList.remove("chosen"), 220);
}

// A point of a scale. A key or a click answers; arrows mark a point, which Enter or Space gives.
function scale(box, give, keys, keyed, chosen) {
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
  const take = (place) => {
    flash(buttons[place]);
    give(classes[place]);
  };
  const buttons = classes.map((label, place) =>
    make(
      "button",
      { type: "button", role: "radio", class: label === chosen ? "answer chosen" : "answer", "aria-keyshortcuts": keys[place], "aria-label": says(place), onclick: () => take(place) },
      make("span", { class: "name", dir: "auto" }, label),
      keyed && keys[place] !== label ? badge(keys[place]) : null,
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
  box.addEventListener("keydown", (event) => {
    if (!["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    move(event.key);
  });
  const edge = (place) => make("span", { class: "quiet" }, meant[place]);
  box.replaceChildren(
    make("div", { class: "points", role: "presentation" }, buttons),
    ...(meant.length ? [make("div", { class: "ends", "aria-hidden": "true" }, edge(0), edge(1))] : []),
  );
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
function boxes(box, give, keys, keyed, chosen) {
  box.setAttribute("role", "group");
  box.classList.add("boxes");
  const ticked = new Set(Array.isArray(chosen) ? chosen : []);
  const none = keys.includes("0") || !keyed ? null : "0";
  const show = () => {
    buttons.forEach((button, place) => button.setAttribute("aria-checked", String(ticked.has(classes[place]))));
    store.disabled = !ticked.size;
  };
  const take = (place) => {
    if (!ticked.delete(classes[place])) ticked.add(classes[place]);
    show();
  };
  const send = () => {
    if (ticked.size) give(classes.filter((label) => ticked.has(label)));
  };
  const buttons = classes.map((label, place) =>
    make(
      "button",
      { type: "button", role: "checkbox", class: "answer tick", "aria-keyshortcuts": keys[place], onclick: () => take(place) },
      make("span", { class: "box", "aria-hidden": "true" }),
      make("span", { class: "name", dir: "auto" }, label),
      keyed ? badge(keys[place]) : null,
    ),
  );
  const store = make("button", { type: "button", class: "primary", "aria-keyshortcuts": keyed ? "Enter" : null, onclick: send }, keyed ? make("kbd", { "aria-hidden": "true" }, "↵") : null, make("span", {}, "Store these"));
  const nothing = make("button", { type: "button", class: "answer", "aria-keyshortcuts": none, onclick: () => give([]) }, none ? badge(none) : null, make("span", {}, "None of these"));
  box.replaceChildren(
    make("div", { class: classes.length > 8 || !keyed ? "classes many" : "classes", role: "presentation" }, buttons),
    make("div", { class: "row send" }, nothing, store),
  );
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.repeat || !buttons.includes(event.target)) return;
    event.preventDefault();
    event.stopPropagation();
    send();
  });
  show();
  return {
    buttons,
    take,
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
