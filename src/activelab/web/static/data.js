// Files into the project, and out of it.

import { at, page, post } from "./api.js";
import { $, capital, make, number, start } from "./dom.js";
import { intake } from "./start.js";

function address() {
  // Other tools have a place for labels alone.
  const labels = $("table").value === "labels";
  $("tools").disabled = !labels;
  if (!labels && $("format").selectedOptions[0].parentElement === $("tools")) $("format").value = "csv";
  $("export").href = at(`/api/v1/export?what=${$("table").value}&format=${$("format").value}`);
}
for (const id of ["table", "format"]) $(id).addEventListener("change", address);

const many = (count, word) => (count ? `${number(count)} ${word}${count === 1 ? "" : "s"}` : null);

function adding() {
  const file = intake($("intake"), {
    what: () => $("what").value,
    changed: () => {
      $("add").disabled = file.busy || !file.proposal || ($("what").value !== "examples" && !file.proposal.num_labels);
      if (file.name) $("added").replaceChildren();
    },
  });
  $("what").addEventListener("change", () => {
    $("skip").hidden = $("what").value !== "examples";
    file.ask({});
  });
  $("add-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { upload, ...how } = file.chosen();
    $("add").disabled = true;
    await post(`uploads/${upload}/import`, { ...how, what: $("what").value, skip_known: $("known").checked });
    const done = await file.done();
    if (!done) return;
    file.clear();
    told(done);
  });
}

function told(done) {
  const stored = [many(done.examples, "example"), many(done.labels, "label"), many(done.gold, "known answer")].filter(Boolean);
  const skipped = done.skipped ? ` ${many(done.skipped, "example")} ${done.skipped === 1 ? "was" : "were"} there already.` : "";
  const out = done.num_left_out ? ` ${many(done.num_left_out, "row")} ${done.num_left_out === 1 ? "is" : "are"} left out:` : "";
  $("added").replaceChildren(
    make("p", {}, (stored.length ? `${stored.join(", ")} added.` : "Nothing of it is new.") + skipped + out),
    make("ul", { class: "lines" }, [...done.left_out, ...done.notes].map((one) => make("li", {}, capital(one)))),
    stored.length ? make("p", {}, make("a", { href: at("/label") }, "Label")) : "",
  );
}

await start(async () => {
  address();
  if (page.account.role === "admin") adding();
});
