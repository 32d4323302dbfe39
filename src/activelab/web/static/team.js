import { at, call, get, page, post } from "./api.js";
import { $, make, note, number, start, when } from "./dom.js";
import { showLink } from "./links.js";
import * as several from "./several.js";

$("invite-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const invite = await post("invites", { role: $("role").value, name: $("invited").value.trim() || null });
    showLink($("invite-link"), invite.link, "Copy the link now; it is not shown again:");
    event.target.reset();
    await showInvites();
  } catch (error) {
    note(error.message, "bad");
  }
});

async function reset(person) {
  try {
    const invite = await post(`annotators/${person.id}/reset`);
    showLink($("invite-link"), invite.link, `${person.name} is logged out, and chooses a new password here, once, within seven days:`);
  } catch (error) {
    note(error.message, "bad");
  }
  await Promise.all([showPeople(), showInvites()]);
}

async function change(person, changes) {
  try {
    await call("PATCH", `annotators/${person.id}`, changes);
    note(`${person.name} is changed.`);
  } catch (error) {
    note(error.message, "bad");
  }
  await showPeople();
}

function row(person) {
  const own = person.id === page.account.id;
  const role = make(
    "select",
    { "aria-label": `Role of ${person.name}`, class: "small", disabled: own, onchange: (event) => change(person, { role: event.target.value }) },
    ["annotator", "adjudicator", "admin"].map((name) => make("option", { value: name, selected: name === person.role }, name)),
  );
  const state = person.disabled ? "disabled" : person.has_password ? "can log in" : "no password";
  const toggle = own
    ? null
    : make(
        "button",
        { type: "button", class: "small", onclick: () => change(person, { disabled: !person.disabled }), "aria-label": `${person.disabled ? "Enable" : "Disable"} ${person.name}` },
        person.disabled ? "Enable" : "Disable",
      );
  const again =
    own || person.disabled || !person.has_password
      ? null
      : make("button", { type: "button", class: "small", onclick: () => reset(person), "aria-label": `Reset the password of ${person.name}` }, "Reset password");
  const data = make("a", { class: "button small", href: at(`/api/v1/annotators/${person.id}/data`), download: "person.json", "aria-label": `Data of ${person.name}` }, "Data");
  const away = own ? null : make("button", { type: "button", class: "small", onclick: () => askRemoval(person), "aria-label": `Remove ${person.name}` }, "Remove …");
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, person.name),
    make("td", {}, role),
    make("td", { class: "numbers" }, number(person.num_labels)),
    make("td", { class: person.disabled ? "problem" : "quiet" }, state),
    make("td", { class: "end" }, make("div", { class: "row" }, again, toggle, data, away)),
  );
}

let leaves = null; // who is to be removed

function askRemoval(person) {
  leaves = person;
  $("remove-title").textContent = `Remove ${person.name}?`;
  $("remove-name").value = $("remove-problem").textContent = "";
  $("remove-kept").checked = true;
  $("remove-dialog").showModal();
  $("remove-name").focus();
}
$("remove-cancel").addEventListener("click", () => $("remove-dialog").close());
$("remove-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answers = $("remove-taken").checked;
  $("remove-go").disabled = true; // many answers take a while
  try {
    const done = await call("DELETE", `annotators/${leaves.id}`, { confirm: $("remove-name").value.trim(), answers });
    $("remove-dialog").close();
    note(answers ? `Removed; ${number(done.answers)} answers are taken back.` : `Removed; their answers are those of “${done.name}” now.`);
    await Promise.all([showPeople(), showInvites()]);
  } catch (error) {
    $("remove-problem").textContent = error.field === "confirm" ? `Type the name as it is written: ${leaves.name}` : error.message;
  } finally {
    $("remove-go").disabled = false;
  }
});

async function showPeople() {
  $("people").replaceChildren(...(await get("annotators")).filter((one) => !one.removed).map(row));
}

async function showInvites() {
  const now = Date.now() / 1000;
  const open = (await get("invites")).filter((one) => !one.used && one.expires > now);
  const rows = open.map((one) =>
    make(
      "li",
      {},
      make("span", {}, one.role, one.name ? ` ${one.name}` : "", make("span", { class: "quiet" }, ` · until ${when(one.expires)}`)),
      make(
        "button",
        {
          type: "button",
          class: "small",
          onclick: async () => {
            await call("DELETE", `invites/${one.id}`).catch((error) => note(error.message, "bad"));
            await showInvites();
          },
        },
        "Revoke",
      ),
    ),
  );
  $("invites").replaceChildren(...(rows.length ? rows : [make("li", { class: "quiet" }, "There are none.")]));
}

several.about.invited = () => Promise.all([showPeople(), showInvites()]);
await start(() => Promise.all([showPeople(), showInvites()]));
