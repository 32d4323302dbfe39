import { at, call, get, page, post } from "./api.js";
import { showAudit } from "./auditresult.js";
import { show, width } from "./charts.js";
import { onScale, several, words } from "./choose.js";
import { $, capital, decimal, make, note, number, percent, start, table, when } from "./dom.js";
import { showPlan } from "./plan.js";
import { byAnswer, said } from "./votes.js";

const COEFFICIENTS = { krippendorff_alpha: "Krippendorff’s alpha", fleiss_kappa: "Fleiss’ kappa", gwet_ac1: "Gwet’s AC1",
  krippendorff_alpha_ordinal: "Krippendorff’s alpha, ordinal", krippendorff_alpha_interval: "Krippendorff’s alpha, interval",
  fleiss_kappa_linear: "Fleiss’ kappa, linear weights", fleiss_kappa_quadratic: "Fleiss’ kappa, quadratic weights",
  krippendorff_alpha_masi: "Krippendorff’s alpha, MASI", krippendorff_alpha_jaccard: "Krippendorff’s alpha, Jaccard",
  gwet_ac2_linear: "Gwet’s AC2, linear weights", gwet_ac2_quadratic: "Gwet’s AC2, quadratic weights" };
const quiet = (words) => make("p", { class: "quiet" }, words);

// Of a class as "gwet_ac1 of refund".
const coefficient = (name) => {
  const [known, ...of] = name.split(" of ");
  return [COEFFICIENTS[known] ?? known, ...of].join(" of ");
};
const signed = (value) => (value > 0 ? `+${decimal(value)}` : decimal(value));
const link = (row) => make("a", { href: at(`/example/${row.id}`) }, row.example);

function figure(name, value, more) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, make("b", {}, value), more ? make("span", { class: "quiet" }, more) : null));
}

const many = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

let shownRound;

function showStatus(status) {
  const { round, training } = status;
  const items = [
    figure("Labels", number(status.labels), `by ${many(status.annotators, "annotator")}`),
    figure("Examples with a label", number(status.labelled), `of ${number(status.examples)}`),
    status.budget === null
      ? figure("Collected here", number(status.spent), "no budget is set")
      : figure("Budget left", number(status.left), `of ${number(status.budget)}; ${number(status.spent)} spent`),
    figure("Decided", number(status.decided), `${number(status.gold)} known answers`),
    figure("Cannot tell", number(status.abstentions), `answers; ${number(status.skips)} skipped`),
    figure("Batch", round ? percent(round.share, 0) : "–", round ? `${number(round.new_labels + round.new_truths)} of ${number(round.train_every)} labels${round.new_truths ? ` and known answers` : ""}` : "no round yet"),
    figure("Still to serve", number(status.queue_length), `${number(status.open_leases)} in hand now`),
  ];
  $("figures").replaceChildren(...items);
  const state = {
    running: `A round is being trained since ${when(training.since)}.`,
    failed: `The last training failed: ${training.error}`,
    idle: round?.trained ? `Round ${round.number} is served; it was trained ${when(round.finished)}.` : "No model is trained yet; examples are served at random.",
  }[training.state];
  const next = training.state === "running" ? "" : training.due ? ` Due: ${training.due}.` : training.automatic ? "" : " It trains only when asked to.";
  $("training").textContent = state + next;
  $("training").classList.toggle("problem", training.state === "failed");
  if ($("train")) {
    $("train").hidden = training.state === "running";
    $("train").disabled = false;
    $("cancel").hidden = training.state !== "running";
    $("cancel").disabled = false;
  }
}

async function showRounds() {
  const [charts, rounds, cases] = await Promise.all([`charts?width=${width}`, "rounds", "adjudication?limit=6"].map((path) => get(path)));
  showCases(cases);
  const drawn = (chart, missing) => (chart === null ? [quiet(missing)] : show(chart));
  $("curve").replaceChildren(...drawn(charts.learning_curve, "It begins with the first trained round."));
  $("share").replaceChildren(...drawn(charts.new_share, "It begins with the first trained round."));
  $("quality").replaceChildren(...drawn(charts.quality, "It is known after the first trained round."));
  const columns = [
    ["Round", (row) => String(row.round)],
    ["State", (row) => (row.state === "failed" ? make("span", { class: "problem" }, `failed: ${row.error}`) : row.state)],
    ["Finished", (row) => when(row.finished)],
    ["Labels", (row) => number(row.num_labels), "numbers"],
    ["Model", (row) => row.models.join(", ") || make("span", { class: "quiet" }, "none")],
    ...(onScale
      ? [
          ["Error of the model", (row) => decimal(row.cv_error), "numbers", "cross-validated: mean distance of the prediction, made without the example, from the mean rating people gave it, in points of the scale"],
          ["Error of the labels", (row) => decimal(row.expected_error), "numbers", "mean distance from the truth, as expected by the round, in points of the scale"],
        ]
      : [
          ["Model right", (row) => percent(row.cv_accuracy), "numbers", "cross-validated: share of the labelled examples whose prediction, made without them, is the majority of the labels people gave"],
          ["Labels right", (row) => percent(row.expected_accuracy), "numbers", "as expected by the round"],
        ]),
    ["Temperature", (row) => row.temperature.map((one) => decimal(one)).join(", ") || null, "numbers"],
    ["Seconds", (row) => decimal(row.seconds, 1), "numbers"],
  ];
  $("rounds").replaceChildren(table("Rounds", columns, rounds.toReversed()));
}

// As in "cat: ann, ben · dog: finn"; the most frequent first.
function votesInShort(votes) {
  const rows = byAnswer(votes, (vote) => (vote.kind === "skip" ? "skipped" : said(vote)));
  return rows.map(([label, given]) => `${label}: ${given.map((vote) => vote.annotator).join(", ")}`).join(" · ");
}

function showCases(cases) {
  const columns = [
    ["Example", link],
    ["Quality", (row) => decimal(row.quality), "numbers"],
    ["Consensus", (row) => words(row.consensus)],
    ["Answers", (row) => votesInShort(row.votes)],
  ];
  $("cases").replaceChildren(
    ...(cases.length
      ? [table("To adjudicate", columns, cases), make("p", { class: "more" }, make("a", { href: at("/adjudicate") }, "Decide"))]
      : [quiet("Nothing now.")]),
  );
}

async function showHeadline() {
  const said = await get("headline");
  $("right").textContent = said.sentence;
  $("check").textContent = said.audit;
  $("pays").textContent = said.forecast?.sentence ?? "";
  $("stale").textContent = said.stale;
}

async function showPeople() {
  const [people, pairs] = await Promise.all([get("annotator-quality"), get("pair-agreement")]);
  const active = people.filter((one) => one.labels || one.skips || one.unsure || !one.disabled);
  const fewer = (accuracy) => accuracy !== null && accuracy.voice !== null && accuracy.voice < 0.995;
  const of = (value, count) => (value === null ? "–" : `${percent(value, 0)} of ${number(count)}`);
  const columns = [
    ["Annotator", (row) => [row.name, row.disabled ? make("span", { class: "quiet" }, " (disabled)") : null]],
    ["Labels", (row) => number(row.labels), "numbers"],
    ["Right of 100, expected", (row) => row.accuracy_words, "numbers", "of the labels of this person, with a 95 % interval, by the round that is served"],
    ...(onScale
      ? [
          ["Shift", (row) => signed(row.accuracy?.shift), "numbers", "severity: by how many points the ratings of this person lie above the truth, or below it"],
          ["Spread", (row) => decimal(row.accuracy?.spread), "numbers", "standard deviation of the ratings of this person around truth and shift, in points"],
        ]
      : []),
    ...(several
      ? [
          ["Sensitivity", (row) => percent(row.accuracy?.sensitivity, 0), "numbers", "how often this person names a class that is right, mean over the classes"],
          ["Specificity", (row) => percent(row.accuracy?.specificity, 0), "numbers", "how often this person leaves out a class that is wrong, mean over the classes"],
        ]
      : []),
    ["Comparisons", (row) => number(row.accuracy ? Math.round(row.accuracy.comparisons) : null), "numbers", "with models, other people and known answers; as many with known answers would tell as much"],
    ...(active.some((row) => fewer(row.accuracy)) ? [["Voices", (row) => decimal(row.accuracy?.voice), "numbers", "how many voices a label counts for: less than 1 where others say the same"]] : []),
    ["Known answers right", (row) => of(row.gold_accuracy, row.gold_n), "numbers"],
    ["Agrees with others", (row) => of(row.agreement, row.agreement_n), "numbers", "over examples that others labelled too, or whose label is decided or known"],
    ["Skipped", (row) => number(row.skips), "numbers"],
    ["Cannot tell", (row) => number(row.unsure), "numbers", "answers that say: I cannot tell; these are no labels, and say that an example is hard"],
    ["Median time", (row) => (row.median_seconds === null ? "–" : `${decimal(row.median_seconds, 1)} s`), "numbers"],
  ];
  $("people").replaceChildren(active.length ? table("Annotators", columns, active) : quiet("Nobody is here yet."));
  const known = pairs.overall.filter((one) => one.value !== null);
  $("agreement").replaceChildren(
    known.length
      ? table("Agreement", [
          ["Coefficient", (row) => coefficient(row.name)],
          ["Value", (row) => decimal(row.value), "numbers"],
          ["95 % interval", (row) => (row.low === null ? "–" : `${decimal(row.low)} to ${decimal(row.high)}`), "numbers"],
          ["Examples", (row) => number(row.n_items), "numbers"],
        ], known)
      : quiet("It is known when examples have several labels."),
  );
  $("pairs").replaceChildren(...matrix(pairs));
}

function matrix(pairs) {
  const names = pairs.annotators;
  if (!pairs.shared.some((row, i) => row.some((value, j) => i !== j && value))) return [quiet("No two people have labelled the same example yet.")];
  const head = make("tr", {}, make("td", {}), names.map((name, place) => make("th", { scope: "col", title: name }, String(place + 1))));
  const body = names.map((name, i) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("span", { class: "quiet" }, `${i + 1} `), name),
      names.map((other, j) => {
        const [value, shared] = [pairs.agreement[i][j], pairs.shared[i][j]];
        if (i === j) return make("td", { class: "self" });
        if (value === null) return make("td", { class: "quiet", title: `${name} and ${other} share nothing` }, "·");
        return make("td", { class: `cell c${Math.min(Math.floor(10 * value), 9)}`, title: `${name} and ${other}: ${percent(value)} of ${number(shared)}, ${onScale ? "quadratic weighted " : ""}kappa ${decimal(pairs.kappa[i][j])}` },
          String(Math.round(100 * value)), make("small", {}, number(shared)));
      }),
    ),
  );
  const more = pairs.left_out ? ` ${number(pairs.left_out)} more people are left out.` : "";
  return [
    make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Agreement of each two" }, make("table", { class: "matrix" }, make("thead", {}, head), make("tbody", {}, body))),
    make("p", { class: "hint" }, `Per cent of the examples both labelled on which they agree; below, how many those are.${more}`),
  ];
}

async function showQueue() {
  const rows = await get("queue?limit=12");
  const columns = [
    ["Example", link],
    ...(rows.some((row) => row.asked !== null) ? [["Asked", (row) => (row.asked === null ? "all classes" : `${row.asked}?`)]] : []),
    ["Kind", (row) => (row.kind === "new" ? "new" : "second opinion")],
    ["Labels", (row) => number(row.num_labels), "numbers"],
    ["Label so far", (row) => words(row.label)],
    ["Quality", (row) => decimal(row.quality), "numbers"],
    ["Predicted", (row) => words(row.predicted)],
    ["Score", (row) => decimal(row.score, 3), "numbers", "low is most worth labelling"],
  ];
  $("queue").replaceChildren(rows.length ? table("Served next", columns, rows) : quiet("Nothing waits for a label."));
}

let busy = false;
async function update(status) {
  showStatus(status);
  if (busy) return;
  busy = true;
  try {
    const key = `${status.round?.number} ${status.training.state}`;
    const work = [showHeadline(), showPeople(), showQueue(), showAudit($("audit")), showPlan($("plan"), $("classes"))];
    if (key !== shownRound) work.push(showRounds());
    await Promise.all(work);
    shownRound = key;
  } catch (error) {
    if (error.status !== 401) note(error.message, "bad");
  } finally {
    busy = false;
  }
}

$("train")?.addEventListener("click", async () => {
  $("train").disabled = true;
  try {
    await post("train");
    note("A round is being trained.");
  } catch (error) {
    note(error.message, "bad");
    $("train").disabled = false;
  }
});

$("cancel")?.addEventListener("click", async () => {
  $("cancel").disabled = true;
  try {
    note(capital((await call("DELETE", "train")).message));
  } catch (error) {
    note(error.message, "bad");
    $("cancel").disabled = false;
  }
});

// Tables follow at most every five seconds, the figures at once.
let newest = null;
let timer = null;
function follow(status) {
  showStatus(status);
  newest = status;
  timer ??= setTimeout(async () => {
    await update(newest);
    timer = null;
  }, 5000);
}

await start(async () => update(await get("status")));

// Browsers keep few connections to a server: only what is looked at listens.
let stream = null;
function listen() {
  if (document.hidden || (stream && stream.readyState !== EventSource.CLOSED)) return;
  stream = new EventSource(at("/api/v1/events"));
  stream.addEventListener("status", (event) => follow(JSON.parse(event.data)));
  stream.addEventListener("end", () => location.assign(`${page.home}/login`));
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stream?.close();
  else listen();
});
setInterval(listen, 15000); // where it was refused, or ended for good
listen();
