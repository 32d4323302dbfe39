// What two pages show of an example: its answers, and buttons to decide.

import { call, page, post, requestId } from "./api.js";
import { make, note } from "./dom.js";

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
          vote.kind === "label" ? vote.label : vote.kind === "skip" ? `skipped${vote.reason ? `: ${vote.reason}` : ""}` : "unsure",
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

export function deciders(id, chosen, decided) {
  const since = performance.now();
  return page.project.classes.map((label) =>
    make(
      "button",
      {
        type: "button",
        class: label === chosen ? "chosen" : null,
        "aria-pressed": String(label === chosen),
        onclick: async () => {
          const seconds = Math.min((performance.now() - since) / 1000, 86400);
          try {
            await post(`examples/${id}/decision`, { label, seconds, request: requestId() });
            note(`Decided: ${label}.`);
            await decided(label);
          } catch (error) {
            note(error.message, "bad");
          }
        },
      },
      label,
    ),
  );
}
