// What two pages show of an example: its answers, and buttons to decide.

import { page, post, requestId } from "./api.js";
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
        make("span", {}, vote.annotator, vote.source === "adjudication" ? make("span", { class: "quiet" }, " (decision)") : null),
        make(
          "span",
          { class: vote.kind === "label" ? "label" : "quiet" },
          vote.kind === "label" ? vote.label : vote.kind === "skip" ? `skipped${vote.reason ? `: ${vote.reason}` : ""}` : "unsure",
        ),
      ),
    ),
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
            await post(`examples/${id}/label`, { label, seconds, request: requestId() });
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
