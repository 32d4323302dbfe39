// How each person works: a table to sort, and one of them in detail.

import { at, call, get, page, post } from "./api.js";
import { confusion, spark, week } from "./charts.js";
import { $, capital, decimal, draw, make, note, number, percent, start, when } from "./dom.js";
import { showLink } from "./links.js";

let people = [];
const chosen = new Set(); // numbers of the people to write to
let sorted = ["flags", -1];
let shown = null;

const right = (row) => row.accuracy?.accuracy ?? null;
// Whom a message reaches: who may log in, and is somebody else.
const reads = (row) => row.can_log_in && row.id !== page.account.id;
const told = (row) => right(row) !== null && row.accuracy.low !== null && !row.accuracy.too_few;

// Columns: name, what it is sorted by, what is shown, class, hint.
const COLUMNS = [
  ["Annotator", (row) => row.name.toLowerCase(), (row) => [...pick(row), make("button", { type: "button", class: "sort", "aria-label": `${row.name}, details`, onclick: () => detail(row.id) }, row.name, row.disabled && !row.removed ? make("span", { class: "quiet" }, " (paused)") : null)], ""],
  ["To look at", (row) => row.flags.length, (row) => (row.flags.length ? row.flags.map((one) => make("span", { class: "flag" }, one)) : "–"), ""],
  ["Labels", (row) => row.labels, (row) => number(row.labels), "numbers"],
  ["Right of 100, expected", (row) => (told(row) ? row.accuracy.low : -1), (row) => [row.accuracy_words, told(row) ? range(row.accuracy) : null], ""],
  ["Median time", (row) => row.median_seconds ?? Infinity, (row) => (row.median_seconds === null ? "–" : `${decimal(row.median_seconds, 1)} s`), "numbers"],
  ["Last 14 days", (row) => week(row.days), (row) => spark(row.days), "wide-only", "labels a day; sorted by the last seven"],
  ["Last active", (row) => row.last_active ?? 0, (row) => when(row.last_active), "wide-only"],
  ["Known answers right", (row) => row.gold_accuracy ?? -1, (row) => (row.gold_n ? `${percent(row.gold_accuracy, 0)} of ${number(row.gold_n)}` : "–"), "numbers wide-only"],
  ["Agrees with others", (row) => row.agreement ?? -1, (row) => (row.agreement_n ? `${percent(row.agreement, 0)} of ${number(row.agreement_n)}` : "–"), "numbers wide-only"],
  ["Practice", (row) => row.practice?.right ?? -1, (row) => practised(row.practice) ?? "–", "wide-only", "of examples with known answers, before they label"],
  ["Passed", (row) => row.skips + row.unsure, (row) => number(row.skips + row.unsure), "numbers wide-only", "skipped, or could not tell"],
];

function practised(practice) {
  if (!practice) return null;
  const since = practice.passed ? `, ${when(practice.passed)}` : practice.held && practice.sent ? `, since ${when(practice.sent)}` : "";
  return practice.words + since;
}

function pick(row) {
  if (!reads(row)) return [];
  const change = (event) => {
    if (event.target.checked) chosen.add(row.id);
    else chosen.delete(row.id);
    showChosen();
  };
  return [make("input", { type: "checkbox", class: "pick", checked: chosen.has(row.id), "aria-label": `Choose ${row.name} to write to`, onchange: change }), " "];
}

function showChosen() {
  $("write").hidden = !chosen.size;
  $("write").textContent = `Write to ${number(chosen.size)} ${chosen.size === 1 ? "person" : "people"}`;
}

function range({ accuracy, low, high }) {
  return draw(
    "svg",
    { class: "range", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { class: "track", x: 0, y: 4, width: 100, height: 2 }),
    draw("rect", { class: "span", x: 100 * low, y: 2, width: Math.max(100 * (high - low), 1), height: 6 }),
    draw("circle", { cx: 100 * accuracy, cy: 5, r: 3 }),
  );
}

function showTable() {
  const [name, way] = sorted;
  const [, by] = COLUMNS.find((one) => key(one) === name);
  const rows = people.toSorted((one, other) => {
    const [a, b] = [by(one), by(other)];
    return (a < b ? -way : a > b ? way : 0) || other.labels - one.labels;
  });
  $("people").tHead.replaceChildren(
    make(
      "tr",
      {},
      COLUMNS.map((one) =>
        make(
          "th",
          { scope: "col", class: one[3] || null, title: one[4], "aria-sort": key(one) === name ? (way > 0 ? "ascending" : "descending") : null },
          make("button", { type: "button", class: "sort", "data-key": key(one), onclick: () => sortBy(key(one)) }, one[0]),
        ),
      ),
    ),
  );
  $("people").tBodies[0].replaceChildren(...rows.map((row) => make("tr", {}, COLUMNS.map((one, place) => make(place ? "td" : "th", { class: one[3] || null, scope: place ? null : "row" }, one[2](row))))));
  const looked = people.filter((row) => row.flags.length).length;
  $("count").textContent = `${number(people.length)} people${looked ? `, ${number(looked)} to look at` : ""}`;
}

const key = ([name]) => (name === "To look at" ? "flags" : name);

function sortBy(name) {
  const upward = name === "Annotator" || name === "Median time";
  sorted = [name, sorted[0] === name ? -sorted[1] : upward ? 1 : -1];
  showTable();
  $("people").querySelector(`[data-key="${name}"]`).focus();
}

// Each person is a circle as large as their labels are many.
function showSpeed() {
  const there = people.filter((row) => told(row) && row.median_seconds !== null);
  if (there.length < 2) {
    $("speed").replaceChildren(make("p", { class: "quiet" }, "This is drawn when a round knows how right two people or more are."));
    return;
  }
  const most = Math.max(...there.map((row) => row.median_seconds)) * 1.1;
  const least = Math.max(Math.min(...there.map((row) => row.accuracy.low)) - 0.05, 0);
  const x = (row) => 46 + (row.median_seconds / most) * 540;
  const y = (value) => 210 - ((value - least) / (1 - least)) * 190;
  const ticks = [least, (1 + least) / 2, 1];
  const marks = there.flatMap((row) => [
    draw("line", { class: "rule", x1: x(row), x2: x(row), y1: y(row.accuracy.low), y2: y(row.accuracy.high) }),
    draw("circle", { class: row.flags.length ? "mark1" : "mark0", cx: x(row), cy: y(right(row)), r: 3 + Math.min(Math.sqrt(row.labels) / 6, 8) }),
    draw("text", { x: x(row) + 8, y: y(right(row)) - 6 }, row.name),
  ]);
  $("speed").replaceChildren(
    draw(
      "svg",
      { class: "chart", viewBox: "0 0 640 250", role: "img", "aria-label": "Speed and accuracy: seconds an answer, and how many of 100 labels are right" },
      ticks.flatMap((value) => [draw("line", { class: "rule", x1: 46, x2: 600, y1: y(value), y2: y(value) }), draw("text", { class: "end", x: 40, y: y(value) + 4 }, percent(value, 0))]),
      draw("text", { x: 46, y: 244 }, "0 s"),
      draw("text", { class: "end", x: 600, y: 244 }, `${decimal(most, 1)} s an answer`),
      marks,
    ),
  );
}

async function detail(id, focus = true) {
  shown = await get(`people/${id}`);
  $("person").hidden = false;
  $("person-title").textContent = shown.name;
  $("person-facts").textContent = [
    `${number(shown.labels)} labels`,
    `last active ${when(shown.last_active)}`,
    ...(shown.practice ? [shown.practice.held ? practised(shown.practice) : `practice: ${practised(shown.practice)}`] : []),
    ...shown.flags,
  ].join(" · ");
  $("answers").href = at(`/browse?annotator=${encodeURIComponent(shown.name)}`);
  $("admit").hidden = !shown.practice?.held;
  $("write-one").hidden = !reads(shown);
  $("practise").hidden = !reads(shown) || shown.role !== "annotator" || Boolean(shown.practice?.held);
  if ($("reset")) {
    // An admin resets anybody's; who decides only that of who labels.
    $("reset").hidden = !reads(shown) || !(page.account.role === "admin" || shown.role === "annotator");
    $("reset-link").hidden = true;
  }
  $("written").replaceChildren(
    ...shown.messages.map((one) =>
      make(
        "li",
        {},
        make("span", { class: "quiet" }, `${one.by ?? "From the command line"}, ${when(one.sent)} · ${one.read ? `read ${when(one.read)}` : "not read yet"}`),
        make("span", { class: "said", dir: "auto" }, one.text),
      ),
    ),
  );
  if ($("pause")) {
    $("pause").textContent = shown.disabled ? "Let them label again" : "Pause";
    $("pause").hidden = shown.id === page.account.id || shown.removed;
  }
  $("confusion").replaceChildren(
    ...(confusion("What they say (columns) where this label counts (rows)", shown.confusion) ?? [make("p", { class: "quiet" }, "There is nothing to compare their labels with yet, or an answer holds several classes.")]),
  );
  if (focus) $("person-title").focus();
}

$("again").addEventListener("click", async () => {
  try {
    const done = await post(`people/${shown.id}/ask-again`);
    note(`Others are asked about ${number(done.number)} of their examples again, before all others${done.left_out ? `; ${number(done.left_out)} are decided or known` : ""}.`);
  } catch (error) {
    note(capital(error.message), "bad");
  }
});

let to = [];
function write(ids, whom) {
  to = ids;
  $("write-title").textContent = `Message to ${whom}`;
  $("write-problem").textContent = "";
  $("write-dialog").showModal();
  $("write-text").focus();
}
$("write").addEventListener("click", () => {
  const names = people.filter((row) => chosen.has(row.id)).map((row) => row.name);
  write([...chosen], names.length > 4 ? `${number(names.length)} people` : names.join(", "));
});
$("write-one").addEventListener("click", () => write([shown.id], shown.name));
$("write-cancel").addEventListener("click", () => $("write-dialog").close());
$("write-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const done = await post("messages", { to, text: $("write-text").value });
    $("write-text").value = "";
    $("write-dialog").close();
    chosen.clear();
    showChosen();
    showTable();
    if (shown) await detail(shown.id, false);
    note(`Sent to ${number(done.number)} ${done.number === 1 ? "person" : "people"}.`);
  } catch (error) {
    $("write-problem").textContent = capital(error.message);
  }
});

$("practise").addEventListener("click", async () => {
  try {
    await post(`people/${shown.id}/practise`);
    await show();
    await detail(shown.id, false);
    note(`${shown.name} practises before new examples come.`);
  } catch (error) {
    note(capital(error.message), "bad");
  }
});

$("reset")?.addEventListener("click", async () => {
  try {
    const invite = await post(`annotators/${shown.id}/reset`);
    await show();
    await detail(shown.id, false);
    showLink($("reset-link"), invite.link, `${shown.name} is logged out, and chooses a new password here, once, within seven days:`);
  } catch (error) {
    note(capital(error.message), "bad");
  }
});

$("admit").addEventListener("click", async () => {
  try {
    await post(`people/${shown.id}/admit`);
    await show();
    await detail(shown.id, false);
    note(`${shown.name} may label now.`);
  } catch (error) {
    note(capital(error.message), "bad");
  }
});

$("pause")?.addEventListener("click", async () => {
  try {
    await call("PATCH", `annotators/${shown.id}`, { disabled: !shown.disabled });
    await show();
    await detail(shown.id, false);
    note(shown.disabled ? `${shown.name} is paused: logged out, and cannot log in.` : `${shown.name} can log in again.`);
  } catch (error) {
    note(capital(error.message), "bad");
  }
});

async function show() {
  people = (await get("people")).filter((one) => one.labels || one.practice || one.skips || one.unsure || !one.disabled);
  showTable();
  showSpeed();
}

await start(show);
