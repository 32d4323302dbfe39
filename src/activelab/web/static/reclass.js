// Classes renamed, merged, split and retired: a table, a dialog that says what a change does, and the history.
import { get, post } from "./api.js";
import { $, capital, lines, make, note, number, table, when } from "./dom.js";

// Of each action its title, what is asked for, as what, and a hint.
const ACTIONS = {
  rename: ["Rename", "New name", "one", "All answers follow. Open pages and files may still use the old name."],
  merge: ["Merge", "Into", "others", "The answers of both count as this class; it can be renamed afterwards."],
  split: ["Split", "Into, one a line", "lines", "Which part an old answer means is not known: it counts no more, and its example is asked about again."],
  retire: ["Retire", "Its answers follow to", "others", "The class is offered no more. Without another class its answers count no more, and their examples are asked about again."],
};

let changed = () => {};
let classes = [];
let now; // the change that the dialog is about
let asked = 0;
let pause;

export async function showClasses(afterwards) {
  changed = afterwards;
  show(await get("classes"));
}

function show(found) {
  classes = found.classes;
  const actions = (row) =>
    make(
      "div",
      { class: "row" },
      Object.entries(ACTIONS).map(([action, [title]]) =>
        make("button", { type: "button", class: "small", "aria-label": `${title} ${row.name}`, onclick: () => open(action, row.name) }, title + (action === "rename" || action === "retire" ? "" : "…")),
      ),
    );
  $("class-table").replaceChildren(
    table("Each class", [["Class", (row) => row.name], ["Answers", (row) => number(row.answers), "numbers"], ["Decided", (row) => number(row.decisions), "numbers"], ["Known", (row) => number(row.known), "numbers"], ["Change", actions]], found.classes),
  );
  $("class-history").replaceChildren(
    ...found.changes.map((change) =>
      make("li", {}, make("span", {}, `${capital(change.words)}: ${change.effect}.`), make("span", { class: "quiet" }, [` ${when(change.time)}`, change.by ?? "command line", change.why].filter(Boolean).join(", "))),
    ),
  );
  $("class-changes").hidden = !found.changes.length;
}

function open(action, name) {
  const [title, label, kind, hint] = ACTIONS[action];
  const others = classes.map((one) => one.name).filter((one) => one !== name);
  now = { action, name };
  $("reclass-title").textContent = `${title} “${name}”`;
  $("reclass-hint").textContent = hint;
  const later = () => {
    $("reclass-do").disabled = true;
    clearTimeout(pause);
    pause = setTimeout(preview, 200);
  };
  const about = { id: "reclass-into", oninput: later, autocomplete: "off" };
  const nothing = make("option", { value: "" }, action === "merge" ? "choose a class" : "no other class");
  const control =
    kind === "lines"
      ? make("textarea", { ...about, rows: 3, class: "short" })
      : kind === "others"
        ? make("select", about, nothing, others.map((one) => make("option", {}, one)))
        : make("input", { ...about, maxlength: 200 });
  $("reclass-control").replaceChildren(make("label", { for: "reclass-into" }, label), control);
  $("reclass-why").value = "";
  $("reclass-do").textContent = title;
  $("reclass").showModal();
  control.focus();
  preview();
}

function wanted() {
  return { action: now.action, classes: [now.name], into: lines($("reclass-into").value) };
}

// What the change would do is said while it is written; until then it cannot be made.
async function preview() {
  const mine = ++asked;
  const change = wanted();
  $("reclass-do").disabled = true;
  if (!change.into.length && now.action !== "retire") {
    $("reclass-effect").textContent = "";
    return;
  }
  try {
    const found = await post("classes/preview", change);
    if (mine !== asked) return;
    $("reclass-effect").textContent = `${capital(found.effect)}.`;
    $("reclass-effect").className = "";
    $("reclass-do").disabled = false;
  } catch (error) {
    if (mine !== asked) return;
    if (error.status === undefined) throw error;
    $("reclass-effect").textContent = capital(error.message);
    $("reclass-effect").className = "problem";
  }
}

$("reclass-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    show(await post("classes", { ...wanted(), why: $("reclass-why").value.trim() }));
    $("reclass").close();
    note("The classes are changed.");
    await changed();
  } catch (error) {
    if (error.status === undefined) throw error;
    $("reclass-effect").textContent = capital(error.message);
    $("reclass-effect").className = "problem";
  }
});
$("reclass-close").addEventListener("click", () => $("reclass").close());
