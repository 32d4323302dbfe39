// The projects of a workspace: those one is in, and for admins making, archiving and deleting.

import { at, call, get, page, post } from "./api.js";
import { $, capital, lines, make, note, number, start } from "./dom.js";
import { intake } from "./start.js";

const admin = page.account.role === "admin";

async function change(work, words) {
  try {
    await work();
    note(words);
  } catch (error) {
    note(capital(error.message), "bad");
  }
  await show();
}

const button = (words, name, onclick) => make("button", { type: "button", class: "small", "aria-label": `${words} ${name}`, onclick }, words);

function row(one) {
  const labels = one.budget ? `${number(one.collected)} of ${number(one.budget)} labels` : `${number(one.collected)} labels`;
  return make(
    "li",
    {},
    make(
      "div",
      {},
      one.role ? make("a", { href: at(`/p/${one.name}/`) }, one.title) : make("span", {}, one.title),
      make("span", { class: "quiet" }, one.problem ?? ` · ${number(one.num_examples)} examples${one.about ? ` of ${one.about}` : ""} · ${labels}${one.role ? ` · you: ${one.role}` : ""}`),
    ),
    admin
      ? make(
          "div",
          { class: "row" },
          one.role || one.problem ? null : button("Enter", one.title, () => change(() => post(`projects/${one.name}/enter`), `You are an admin of ${one.title}.`)),
          button("Archive", one.title, () => change(() => call("PATCH", `projects/${one.name}`, { archived: true }), `${one.title} is archived: nobody works in it.`)),
        )
      : null,
  );
}

function aside(one) {
  return make(
    "li",
    {},
    make("span", {}, one.name),
    make(
      "div",
      { class: "row" },
      button("Take up", one.name, () => change(() => call("PATCH", `projects/${one.name}`, { archived: false }), `${one.name} is taken up again.`)),
      button("Delete", one.name, () => ask(one)),
    ),
  );
}

let kinds = {}; // of the projects there are, by name

async function show() {
  const all = await get("projects");
  const live = all.filter((one) => !one.archived);
  kinds = Object.fromEntries(all.map((one) => [one.name, one.kind]));
  const words = admin ? "There are none yet. Make one below." : "You are in none yet. Ask whoever leads one for an invitation.";
  $("projects").replaceChildren(...(live.length ? live.map(row) : [make("li", { class: "quiet" }, words)]));
  if (!admin) return;
  const archived = all.filter((one) => one.archived);
  $("aside").hidden = !archived.length;
  $("archived").replaceChildren(...archived.map(aside));
  $("about").replaceChildren(
    make("option", { value: "" }, "its own"),
    ...live.filter((one) => !one.problem && !one.about).map((one) => make("option", { value: one.name }, one.title)),
  );
  $("like").replaceChildren(
    make("option", { value: "" }, "none: as new"),
    ...live.filter((one) => !one.problem).map((one) => make("option", { value: one.name }, one.title)),
  );
}

let asked = null;
function ask(one) {
  asked = one;
  $("delete-words").textContent = `All examples and labels of ${one.name} will be gone. Nothing brings them back but a copy.`;
  $("confirm").value = "";
  $("delete-dialog").showModal();
}

if (admin) {
  // The address follows the title until somebody writes it, and what the file says fills what nobody has written.
  const written = new Set();
  const suggest = (id, value) => {
    if (!written.has(id)) $(id).value = value;
  };
  for (const id of ["title", "address", "kind", "classes"]) {
    $(id).addEventListener("input", () => ($(id).value === "" ? written.delete(id) : written.add(id)));
  }
  $("title").addEventListener("input", () => suggest("address", free(named($("title").value))));
  const like = () => $("like").value;
  const about = () => $("about").value;
  const file = intake($("intake"), {
    kind: () => (like() ? kinds[like()] : written.has("kind") ? $("kind").value : undefined),
    changed: () => {
      const found = file.proposal;
      if (file.name) suggest("title", titled(file.name));
      suggest("address", free(named($("title").value)));
      if (found) suggest("kind", found.kind);
      if (found?.classes.length) suggest("classes", found.classes.join("\n"));
      $("make").disabled = file.busy || (file.name !== "" && !found);
      $("make").textContent = found ? "Make it and label" : "Make it";
    },
  });
  $("kind").addEventListener("change", () => file.ask({}));
  $("like").addEventListener("change", () => {
    $("fresh").hidden = like() !== "";
    file.ask({});
  });
  // Another question about examples that are there: they come with it, and so does how they are shown.
  $("about").addEventListener("change", () => {
    const shared = about() !== "";
    $("intake").hidden = shared;
    $("like").value = "";
    for (const id of ["like", "kind"]) $(id).parentElement.hidden = shared;
    $("fresh").hidden = false;
  });
  $("new-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("problem").textContent = "";
    const body = { name: $("address").value.trim(), title: $("title").value.trim() };
    if (!body.title) return $("title").focus();
    if (about()) Object.assign(body, { about: about(), question: $("question").value, classes: lines($("classes").value) });
    else if (like()) body.like = like();
    else Object.assign(body, { kind: $("kind").value, question: $("question").value, classes: lines($("classes").value) });
    if (file.proposal && !about()) body.examples = file.chosen();
    $("make").disabled = true;
    try {
      const made = await post("projects", body);
      if (!body.examples) location.assign(at(`/p/${made.name}/`));
      else if (await file.done()) location.assign(at(`/p/${made.name}/label`));
      else $("make").disabled = false;
    } catch (error) {
      $("problem").textContent = capital(error.message);
      $("make").disabled = false;
    }
  });
  $("delete-cancel").addEventListener("click", () => $("delete-dialog").close());
  $("delete-form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("delete-dialog").close();
    change(() => call("DELETE", `projects/${asked.name}`, { confirm: $("confirm").value.trim() }), `${asked.name} is deleted.`);
  });
}

// Letters of other alphabets have no place in it: accents go, the rest becomes a hyphen.
const named = (title) =>
  title.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[^a-z]+|-+$/g, "").slice(0, 63);
// A name no project has yet.
function free(name) {
  let other = name;
  for (let next = 2; other && other in kinds; next++) other = `${name}-${next}`;
  return other;
}
const titled = (file) => capital(file.replace(/\.gz$/i, "").replace(/\.[^.]*$/, "").replace(/[_-]+/g, " ").trim()).slice(0, 200);

await start(show);
