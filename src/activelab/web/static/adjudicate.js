import { get } from "./api.js";
import { $, decimal, make, showContent, start, when } from "./dom.js";
import { same, words } from "./choose.js";
import { decider, undoer, votesOf } from "./votes.js";

function entry(row) {
  const item = make("li", { class: "panel case" });
  const about = [
    row.why === "low quality" ? `quality ${decimal(row.quality)}` : row.why,
    row.consensus === null ? null : `consensus ${words(row.consensus)}`,
    row.predicted === null ? null : `model ${words(row.predicted)}`,
  ].filter(Boolean);
  const decided = async () => {
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    count();
    next?.querySelector(".decider button:not([tabindex='-1'])")?.focus({ preventScroll: false });
    if ($("list").children.length) await showDecided();
    else await show();
  };
  item.append(
    make("div", { class: "content" }, showContent(row.content)),
    make(
      "div",
      { class: "facts" },
      make("h2", {}, make("a", { href: `/example/${row.id}` }, row.example)),
      make("p", { class: "quiet" }, about.join(" · ")),
      votesOf(row.votes),
    ),
    decider(row.id, row.example, null, decided),
  );
  return item;
}

function count() {
  const size = $("list").querySelectorAll(".case").length;
  $("left").textContent = size ? `${size} shown` : "";
}

async function showDecided() {
  const rows = await get("decisions?limit=20");
  $("decided-panel").hidden = !rows.length;
  $("decided").replaceChildren(
    ...rows.map((row) =>
      make(
        "li",
        {},
        make(
          "span",
          {},
          make("a", { href: `/example/${row.id}` }, row.example),
          " ",
          make("b", {}, words(row.label)),
          make("span", { class: "quiet" }, ` by ${row.annotator}, ${when(row.time)}${row.consensus !== null && !same(row.consensus, row.label) ? `; the consensus says ${words(row.consensus)}` : ""}`),
        ),
        undoer(row.id, row.example, undone),
      ),
    ),
  );
}

async function undone() {
  await show();
  ($("decided").querySelector("button") ?? $("list").querySelector("button"))?.focus({ preventScroll: false });
}

async function show() {
  const [rows] = await Promise.all([get("adjudication?limit=20"), showDecided()]);
  $("list").replaceChildren(
    ...(rows.length ? rows.map(entry) : []),
  );
  count();
  if (!rows.length) $("list").replaceChildren(make("li", { class: "panel quiet" }, "Nothing needs a decision now. The list fills when examples have labels and a round is trained."));
}

await start(show);
