// What two pages show of an example: its answers, and buttons to decide.

import { call, post, requestId } from "./api.js";
import { chooser, words } from "./choose.js";
import { make, note } from "./dom.js";

const ANSWERS = {
  label: (vote) => words(vote.label),
  skip: (vote) => `skipped${vote.reason ? `: ${vote.reason}` : ""}`,
  unsure: () => "cannot tell",
};
export const said = (vote) => ANSWERS[vote.kind](vote);

export function votesOf(votes) {
  if (!votes.length) return make("p", { class: "quiet" }, "Nobody has answered yet.");
  return make(
    "ul",
    { class: "votes" },
    votes.map((vote) =>
      make(
        "li",
        {},
        make("span", {}, vote.annotator),
        make(
          "span",
          { class: vote.kind === "label" ? "label" : "quiet" },
          said(vote),
        ),
      ),
    ),
  );
}

export const SOURCES = {
  adjudicated: "decided by an adjudicator",
  gold: "known answer",
  consensus: "consensus",
  single: "one annotator’s label",
};

// The button that takes a decision back.
export function undoer(id, name, undone) {
  return make(
    "button",
    {
      type: "button",
      class: "small",
      "aria-label": `Undo the decision on ${name}`,
      onclick: async () => {
        try {
          await call("DELETE", `examples/${id}/decision?request=${requestId()}`);
          note("The decision is undone; what annotators say counts again.");
          await undone();
        } catch (error) {
          note(error.message, "bad");
        }
      },
    },
    "Undo",
  );
}

// A box to decide in; one class is decided by a click, several by a button.
export function decider(id, name, chosen, decided) {
  const since = performance.now();
  const box = make("div", { class: "decider" });
  const give = async (label) => {
    const seconds = Math.min((performance.now() - since) / 1000, 86400);
    try {
      await post(`examples/${id}/decision`, { label, seconds, request: requestId() });
      note(`Decided: ${words(label)}.`);
      await decided(label);
    } catch (error) {
      note(error.message, "bad");
    }
  };
  chooser(box, give, { keyed: false, chosen, name: `Decide ${name}` });
  return box;
}
