// Finding a class among many: what is typed is looked for, arrows mark a hit, Enter takes it.

import { make, number } from "./dom.js";
import { indexed, rank } from "./find.js";

const STEP = 10; // so many are drawn at once; more follow as the list is scrolled

// What is looked at of the classes: made when it is needed, once for all palettes of a page.
let looked = { all: null, index: null };
function indexOf(all) {
  if (looked.all !== all) looked = { all, index: all.map((one) => indexed(one.label, `${one.description} ${one.example}`, one.group)) };
  return looked.index;
}

// `resting` is shown as long as nobody looks for a class. `take` is called with a class, `send` by Enter where nothing is
// marked, `tell` with the class that is marked; isOn says whether a class is ticked, null where one class answers.
export function palette(all, { id, resting, first, take, send, tell, isOn }) {
  const coloured = all.some((one) => one.colour);
  let hits = []; // [class, heading]
  let options = [];
  let marked = -1;
  let scrolled = false;
  let inside = null; // the group that is drawn into, and its heading

  const input = make("input", {
    type: "search", id, role: "combobox", placeholder: "Find a class ( / )", autocomplete: "off", spellcheck: "false", "aria-keyshortcuts": "/",
    "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": `${id}-list`,
  });
  const list = make("div", { id: `${id}-list`, class: "options", role: "listbox", "aria-label": "Classes", "aria-multiselectable": isOn ? "true" : null, hidden: true });
  const says = make("p", { class: "hint", role: "status" });
  const left = all.length - resting.querySelectorAll("button").length;
  const resting_words = !left ? "Type to find a class." : `${number(all.length - left)} likely classes of ${number(all.length)}. Type to find the other ${number(left)}.`;

  const option = ([one]) => {
    const short = one.name === one.label ? null : make("span", { class: "quiet" }, one.label.slice(0, -one.name.length));
    const element = make(
      "div",
      { role: "option", id: `${id}-${options.length}`, onclick: () => choose(one) },
      isOn ? make("span", { class: "box", "aria-hidden": "true" }) : null,
      coloured ? make("span", { class: "dot", "aria-hidden": "true" }) : null,
      make("span", { class: "name", dir: "auto" }, short, one.name),
      one.group && !short && input.value.trim() ? make("span", { class: "quiet" }, one.group) : null,
    );
    if (one.colour) element.style.setProperty("--own", one.colour);
    return element;
  };

  function drawMore() {
    const from = options.length;
    for (const hit of hits.slice(options.length, options.length + STEP)) {
      if (hit[1] !== inside?.heading) {
        const group = hit[1] ? make("div", { role: "group", "aria-label": hit[1] }, make("div", { class: "grouphead", "aria-hidden": "true" }, hit[1])) : list;
        if (group !== list) list.append(group);
        inside = { heading: hit[1], group };
      }
      const element = option(hit);
      options.push(element);
      inside.group.append(element);
    }
    showOn(from);
  }

  function showOn(from = 0) {
    options.slice(from).forEach((element, turn) => {
      const place = from + turn;
      element.classList.toggle("marked", place === marked);
      element.setAttribute("aria-selected", String(isOn ? isOn(hits[place][0].label) : place === marked));
    });
  }

  function mark(place) {
    marked = Math.min(place, hits.length - 1);
    while (marked >= options.length) drawMore();
    showOn();
    if (marked < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", options[marked].id);
    if (marked || scrolled) options[marked].scrollIntoView({ block: "nearest" });
    tell(hits[marked][0]);
  }

  function look() {
    const text = input.value.trim();
    const before = first();
    const likely = new Map(before.map((one, place) => [one, 1 - place / before.length]));
    hits = text
      ? rank(text, indexOf(all), (place) => likely.get(all[place]) ?? 0).map((place) => [all[place], ""])
      : [...before.map((one) => [one, "Recent and frequent"]), ...all.map((one) => [one, one.group || "All classes"])];
    options = [];
    inside = { heading: "", group: list };
    list.replaceChildren();
    if (scrolled) list.scrollTop = 0; // asking where it stands would lay it out
    drawMore();
    mark(text && hits.length ? 0 : -1);
    says.textContent = !text ? `${number(all.length)} classes, the likely ones first.` : hits.length ? `${hits.length === 1 ? "1 class fits" : `${number(hits.length)} classes fit`}.` : `No class matches “${text}”.`;
  }

  function open(now) {
    list.hidden = !now;
    resting.classList.toggle("away", now);
    input.setAttribute("aria-expanded", String(now));
    if (now) return look();
    input.value = "";
    input.removeAttribute("aria-activedescendant");
    list.replaceChildren();
    says.textContent = resting_words;
    tell(null);
  }

  function choose(one) {
    input.value = "";
    if (isOn) {
      take(one);
      look(); // the next is looked for at once
    } else {
      input.blur();
      take(one);
    }
  }

  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    if (moves[event.key]) mark(Math.max(marked + moves[event.key], 0));
    else if (event.key === "Escape") input.blur();
    else if (event.key !== "Enter") return;
    else if (!event.repeat) enter();
    event.preventDefault();
    event.stopPropagation();
  });
  function enter() {
    const text = input.value.trim();
    if (marked >= 0) choose(hits[marked][0]);
    else if (text) says.textContent = `No class matches “${text}”; nothing is chosen.`;
    else if (!send()) says.textContent = "Type a part of a name, or go down with the arrow key.";
  }
  input.addEventListener("input", look);
  input.addEventListener("focus", () => open(true));
  input.addEventListener("blur", () => open(false));
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("scroll", () => {
    scrolled = list.scrollTop > 0;
    if (options.length < hits.length && list.scrollTop + list.clientHeight > list.scrollHeight - 200) drawMore();
  });
  says.textContent = resting_words;
  const element = make("div", { class: left ? "palette" : "palette all" }, make("label", { for: id, class: "heard" }, "Find a class"), input, make("div", { class: "shown" }, resting, list), says);
  return { element, list, focus: () => input.focus(), showOn, entryOf: (target) => hits[options.indexOf(target)]?.[0] };
}
