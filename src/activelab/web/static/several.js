// A list of people to invite: looked at line by line, invited at once, and the links to take away, shown once.

import { at, post } from "./api.js";
import { $, capital, make, number, table } from "./dom.js";
import { copyButton, whole } from "./links.js";

export const about = { invited: () => {} };
let saved = null; // names and links as a file

const people = (count) => `${number(count)} ${count === 1 ? "person" : "people"}`;

function show(list) {
  const wrong = list.filter((one) => one.problem).length;
  const linked = Boolean(list[0]?.link);
  $("roster-list").hidden = !list.length;
  $("roster-list").replaceChildren(
    table(
      "The list",
      [
        ["Line", (one) => number(one.line), "numbers"],
        ["Name", (one) => one.name],
        ["Role", (one) => one.role],
        linked
          ? ["Link", (one) => make("span", { class: "row" }, copyButton(whole(one.link), one.name), make("code", {}, whole(one.link)))]
          : ["State", (one) => (one.problem ? make("span", { class: "problem" }, capital(one.problem)) : make("span", { class: "quiet" }, capital(one.note) || "Ready"))],
      ],
      list,
    ).firstChild,
  );
  $("roster-go").hidden = linked || wrong > 0 || !list.length;
  $("roster-go").textContent = `Invite ${people(list.length)}`;
  $("roster-save").hidden = !linked;
  $("roster-told").textContent = linked
    ? `${people(list.length)} invited. The links work once each, for seven days, and are not shown again: download them now.`
    : wrong
      ? `${number(wrong)} of ${number(list.length)} lines cannot be used yet. Nobody is invited before all can.`
      : `${people(list.length)}, nothing is wrong.`;
}

function clear() {
  $("roster-problem").textContent = $("roster-told").textContent = "";
  for (const name of ["roster-go", "roster-save", "roster-list"]) $(name).hidden = true;
}

async function look() {
  clear();
  try {
    show((await post("invites/preview", { text: $("roster").value })).people);
  } catch (error) {
    $("roster-problem").textContent = capital(error.message);
  }
}

async function take(file) {
  if (!file) return;
  if (file.size > 400000) {
    $("roster-problem").textContent = `${file.name} is too large for a list of 500 people.`;
    return;
  }
  $("roster").value = await file.text();
  await look();
}

$("roster").addEventListener("input", clear);
$("roster-look").addEventListener("click", look);
$("roster-file").addEventListener("change", async (event) => {
  await take(event.target.files[0]);
  event.target.value = ""; // the same file, corrected, may be chosen again
});
$("several-form").addEventListener("dragover", (event) => event.preventDefault());
$("several-form").addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  take(event.dataTransfer.files[0]);
});
$("several-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if ($("roster-go").hidden) return look();
  try {
    const done = await post("invites/several", { text: $("roster").value, url: location.origin + at("") });
    saved = done.table;
    show(done.people);
    $("roster").value = "";
    $("roster-save").focus();
    await about.invited();
  } catch (error) {
    $("roster-problem").textContent = capital(error.message);
  }
});
$("roster-save").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([saved], { type: "text/csv" }));
  make("a", { href: address, download: "invitations.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
});
