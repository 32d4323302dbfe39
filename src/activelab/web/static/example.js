import { at, get, page } from "./api.js";
import { showContent } from "./content.js";
import { $, decimal, make, number, percent, start, when } from "./dom.js";
import { words } from "./choose.js";
import { decider, SOURCES, undoer, votesOf } from "./votes.js";

const fact = (name, value) => [make("dt", {}, name), make("dd", {}, value ?? "–")];
const KINDS = { new: "It has no label yet.", relabel: "It has labels, and another opinion is worth more than a new example.", gold: "Its right answer is known: it checks annotators, and is not in the order.", decided: "It is decided, and nobody is asked about it again." };

async function show() {
  const [example, why] = await Promise.all([get(`examples/${page.example}`), get(`why/${page.example}`)]);
  $("name").textContent = example.name;
  document.title = document.title.replace(/^Example \d+/, example.name);
  $("content").replaceChildren(...showContent(example.content));
  $("votes").replaceChildren(votesOf(example.votes));
  $("decide").replaceChildren(decider(page.example, example.name, example.decision?.label ?? null, show).box);
  $("decision").hidden = !example.decision;
  $("decision").replaceChildren(...decision(example));
  const place = why.position === null ? "not in the order" : `${number(why.position + 1)} of ${number(why.of)}`;
  const parts = [
    make("p", {}, KINDS[why.kind]),
    make(
      "dl",
      { class: "facts" },
      fact("Place in the order", place),
      fact("Score", why.score === null ? "none: no model is trained yet" : decimal(why.score, 4)),
      fact("Label", words(why.label)),
      fact("Where it comes from", SOURCES[why.source]),
      fact("Quality", decimal(why.quality, 3)),
      ...(why.expected_error === null ? [] : fact("Expected to be off by", `${decimal(why.expected_error, 2)} points`)),
      fact("Consensus", words(why.consensus)),
      fact("Predicted by the model", words(why.predicted)),
      fact("Known answer", words(example.gold)),
      fact("Trust in annotators, P", decimal(why.annotator_accuracy, 3)),
      fact("Temperature", why.temperature.map((one) => decimal(one, 2)).join(", ") || null),
    ),
  ];
  if (why.parts.length) parts.push(...sum(why));
  $("why").replaceChildren(...parts);
}

function decision({ name, decision }) {
  if (!decision) return [];
  const by = ` decided by ${decision.annotator}, ${when(decision.time)}${decision.note ? `; “${decision.note}”` : ""}`;
  return [make("span", {}, make("b", {}, words(decision.label)), by), undoer(page.example, name, show)];
}

function sum(why) {
  const label = why.consensus ?? why.predicted;
  const weighed = why.parts.some((part) => part.weight !== null);
  const total = why.parts.reduce((all, part) => all + part.weight, 0);
  const rows = why.parts.map((part) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, part.who),
      make("td", { class: "numbers" }, percent(part.says)),
      ...(weighed ? [decimal(part.weight, 3), percent(part.weight / total, 0)] : []).map((one) => make("td", { class: "numbers" }, one)),
    ),
  );
  const head = ["Who", "Says", ...(weighed ? ["Weight", "Share"] : [])].map((name, place) => make("th", { scope: "col", class: place ? "numbers" : null }, name));
  return [
    make(
      "p",
      {},
      weighed
        ? `The score is what these say, by weight, of the label being ${label}; the lowest is served first.`
        : `Served first is where the consensus is least sure of its label. So sure is each model by itself of ${label}; the score calibrates them, and adds what annotators said:`,
    ),
    make(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-label": "The score" },
      make("table", { class: "grid" }, make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows)),
    ),
  ];
}

$("find").addEventListener("submit", async (event) => {
  event.preventDefault();
  const words = $("wanted").value.trim();
  if (!words) return;
  const found = await get(`examples?limit=10&name=${encodeURIComponent(words)}`);
  const exact = found.find((one) => one.name === words) ?? (found.length === 1 ? found[0] : null);
  if (exact) location.assign(at(`/example/${exact.id}`));
  $("found").replaceChildren(...found.map((one) => make("option", { value: one.name })));
  $("wanted").setCustomValidity(found.length ? "" : "No id begins like this.");
  $("wanted").reportValidity();
});
$("wanted").addEventListener("input", () => $("wanted").setCustomValidity(""));

await start(show);
