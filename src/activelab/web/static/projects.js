// The projects of a workspace: those one is in, and for admins making, archiving and deleting.

import { at, call, get, page, post } from "./api.js";
import { $, capital, lines, make, note, number, start } from "./dom.js";

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
      make("span", { class: "quiet" }, one.problem ?? ` · ${number(one.num_examples)} examples · ${labels}${one.role ? ` · you: ${one.role}` : ""}`),
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

async function show() {
  const all = await get("projects");
  const live = all.filter((one) => !one.archived);
  const words = admin ? "There are none yet. Make one below." : "You are in none yet. Ask whoever leads one for an invitation.";
  $("projects").replaceChildren(...(live.length ? live.map(row) : [make("li", { class: "quiet" }, words)]));
  if (!admin) return;
  const archived = all.filter((one) => one.archived);
  $("aside").hidden = !archived.length;
  $("archived").replaceChildren(...archived.map(aside));
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
  // The address follows the title until somebody writes it.
  let own = false;
  $("title").addEventListener("input", () => {
    if (!own) $("address").value = named($("title").value);
  });
  $("address").addEventListener("input", () => (own = $("address").value !== ""));
  $("like").addEventListener("change", () => ($("fresh").hidden = $("like").value !== ""));
  $("new-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("problem").textContent = "";
    const body = { name: $("address").value.trim(), title: $("title").value.trim() };
    if (!body.title) return $("title").focus();
    if ($("like").value) body.like = $("like").value;
    else Object.assign(body, { kind: $("kind").value, question: $("question").value, classes: lines($("classes").value) });
    try {
      const made = await post("projects", body);
      location.assign(at(`/p/${made.name}/`));
    } catch (error) {
      $("problem").textContent = capital(error.message);
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

await start(show);
