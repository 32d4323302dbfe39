// The answers below an example: of one question as the page has them, or a block for each of several.

import { chooser, words, yesNo, yesOrNo } from "./choose.js";
import { $, make } from "./dom.js";
import { group, questions } from "./asked.js";

const KINDS = { single: "Classes", ordinal: "Rating", multilabel: "Classes, as many as fit" };

// `give` is called with a block and a label, `turn` with a block that somebody goes to. Of a block: `asker` is what
// keys go to; show(item, said, on) shows what is asked, or what was said, and whether it is its turn.
function blockOf(question, place, give, turn) {
  const one = group ? make("div", { id: `one-${place}`, hidden: true }) : $("one");
  const classes = group ? make("div") : $("classes");
  const told = make("p", { class: "told", dir: "auto", hidden: true });
  const title = make("h2", { id: `question-${place}`, dir: "auto" }, question.title);
  const box = group ? make("section", { class: "question", tabindex: -1, "aria-labelledby": title.id }, make("div", { class: "row between" }, title, told), one, classes) : null;
  if (box) $("questions").append(box);
  const block = { question, box, item: null, asker: null };
  const name = KINDS[question.question];
  const choice = chooser(classes, (label) => give(block, label), { project: question, name: group ? `${question.title}: ${name}` : name });
  const single = yesOrNo(one, (label) => give(block, label));
  box?.addEventListener("focusin", () => turn(block));
  box?.addEventListener("pointerdown", () => turn(block));
  return Object.assign(block, {
    choice,
    single,
    ready: choice.ready,
    reset: () => choice.reset(),
    show: (item, said, on) => {
      const asked = item?.asked ?? null;
      block.item = item;
      block.asker = asked === null ? choice : single;
      single.show(asked);
      classes.hidden = asked !== null || (group && !item);
      if (!box) return;
      box.hidden = !item && !said;
      box.classList.toggle("on", on);
      told.hidden = Boolean(item);
      told.textContent = said ?? "";
    },
  });
}

export const blocks = (give, turn) => questions.map((question, place) => blockOf(question, place, give, turn));

// An answer in words.
export const inWords = ({ item, body }) =>
  body.kind === "label" ? (item.asked === null ? words(body.label) : `${item.asked}: ${yesNo(body.label)}`) : body.kind === "skip" ? "Skipped" : "Cannot tell";
