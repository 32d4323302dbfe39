// What two pages show of an example: its answers, and buttons to decide.

import { call, post, requestId } from "./api.js";
import { chooser, words, yesNo } from "./choose.js";
import { make, note, percent } from "./dom.js";

const ANSWERS = {
  label: (vote) => (vote.asked === null ? words(vote.label) : yesNo(vote.label)),
  skip: (vote) => `skipped${vote.reason ? `: ${vote.reason}` : ""}`,
  unsure: () => "cannot tell",
};
// What was noted with an answer, and how it was given.
export const remarks = (vote) =>
  [vote.flagged ? "⚑ flagged" : null, vote.bulk ? "seen in bulk" : null, vote.reason && vote.kind !== "skip" ? `“${vote.reason}”` : null].filter(Boolean).join(", ");
export const said = (vote) => `${vote.asked === null ? "" : `${vote.asked}: `}${ANSWERS[vote.kind](vote)}`;

export function votesOf(votes) {
  if (!votes.length) return make("p", { class: "quiet" }, "Nobody has answered yet.");
  return make(
    "ul",
    { class: "votes" },
    votes.map((vote) =>
      make(
        "li",
        {},
        make("span", {}, vote.annotator, remarks(vote) ? make("small", { class: "quiet" }, ` ${remarks(vote)}`) : null),
        make(
          "span",
          { class: vote.kind === "label" ? "label" : "quiet" },
          said(vote),
        ),
      ),
    ),
  );
}

// Votes by what was said, the most frequent first.
export const byAnswer = (votes, words = said) => [...Map.groupBy(votes, words)].sort(([, one], [, other]) => other.length - one.length);

// Who said what, by what was said: the most frequent first, each person with their accuracy where it is known.
export function votesByLabel(votes) {
  if (!votes.length) return votesOf(votes);
  const sorted = byAnswer(votes);
  const person = (vote) => `${vote.annotator}${vote.kind === "label" && vote.accuracy !== null ? ` (${percent(vote.accuracy, 0)} right)` : ""}${remarks(vote) ? ` (${remarks(vote)})` : ""}`;
  return make(
    "ul",
    { class: "votes" },
    sorted.map(([words, group]) => make("li", {}, make("span", { class: group[0].kind === "label" ? "label" : "quiet" }, group.length > 1 ? `${words} × ${group.length}` : words), make("span", {}, group.map(person).join(", ")))),
  );
}

export const SOURCES = {
  adjudicated: "decided by an adjudicator",
  gold: "known answer",
  consensus: "consensus",
  single: "one annotator’s label",
};

export async function takeBack(id) {
  await call("DELETE", `examples/${id}/decision?request=${requestId()}`);
  note("The decision is undone; what annotators say counts again.");
}

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
          await takeBack(id);
          await undone();
        } catch (error) {
          note(error.message, "bad");
        }
      },
    },
    "Undo",
  );
}

// A box to decide in; one class is decided by a click, several by a button. With `keyed` also by press(key).
export function decider(id, name, chosen, decided, { keyed = false, note: why = () => null } = {}) {
  const since = performance.now();
  const box = make("div", { class: "decider" });
  const give = async (label) => {
    const seconds = Math.min((performance.now() - since) / 1000, 86400);
    try {
      await post(`examples/${id}/decision`, { label, seconds, request: requestId(), note: why() });
      note(`Decided: ${words(label)}.`);
      await decided(label);
    } catch (error) {
      note(error.message, "bad");
    }
  };
  const { press } = chooser(box, give, { keyed, chosen, name: `Decide ${name}` });
  return { box, press };
}
