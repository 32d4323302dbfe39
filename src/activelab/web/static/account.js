import { call, get, page, post } from "./api.js";
import { $, make, note, start, when } from "./dom.js";
import * as keep from "./keep.js";

let told = false;
let here = null; // the session of this browser, if it is known by itself

// Of this browser, or of all.
async function logOut(path) {
  const { length } = await keep.all();
  if (length && !told) {
    told = true;
    const words = length === 1 ? "1 answer is kept in this browser and is" : `${length} answers are kept in this browser and are`;
    $("logout-kept").textContent = `${words} not stored. Open Label to send what can be sent; or log out all the same, and it stays here until you log in again.`;
    return;
  }
  await call("DELETE", path);
  await keep.clear();
  location.assign(`${page.home}/login`);
}
$("logout").addEventListener("click", () => logOut(here ? `sessions/${here.id}` : "session"));
$("logout-all").addEventListener("click", () => logOut("session"));

async function showSessions() {
  const sessions = await get("sessions");
  here = sessions.find((one) => one.here) ?? null;
  const rows = sessions.map((one) =>
    make(
      "li",
      {},
      make("span", {}, one.browser, make("span", { class: "quiet" }, one.here ? " · here" : ` · since ${when(one.begun)}, last used ${when(one.used)}`)),
      one.here ? null : make("button", { type: "button", class: "small", onclick: () => endSession(one), "aria-label": `Log out of ${one.browser}, since ${when(one.begun)}` }, "Log out"),
    ),
  );
  $("sessions").replaceChildren(...(rows.length ? rows : [make("li", { class: "quiet" }, "Only sessions that began before this list was kept.")]));
}

async function endSession(one) {
  try {
    await call("DELETE", `sessions/${one.id}`);
    note(`${one.browser} is logged out.`);
  } catch (error) {
    note(error.message, "bad");
  }
  await showSessions();
}

$("password-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("password-problem").textContent = "";
  try {
    const session = await post("me/password", { old: $("old").value, new: $("new").value });
    page.csrf = session.csrf;
    event.target.reset();
    note("The password is changed.");
    await showSessions();
  } catch (error) {
    $("password-problem").textContent =
      error.field === "new" ? "The new password needs 10 characters or more." : error.message;
  }
});

async function show() {
  const now = Date.now() / 1000;
  const tokens = (await get("tokens")).filter((one) => !one.revoked && (!one.expires || one.expires > now));
  const rows = tokens.map((one) =>
    make(
      "li",
      {},
      make("span", {}, one.name, make("span", { class: "quiet" }, ` · until ${when(one.expires)}`)),
      make("button", { type: "button", class: "small", onclick: () => revoke(one.id) }, "Revoke"),
    ),
  );
  $("tokens").replaceChildren(...(rows.length ? rows : [make("li", { class: "quiet" }, "You have none.")]));
}

async function revoke(id) {
  await call("DELETE", `tokens/${id}`);
  note("The token is revoked.");
  await show();
}

$("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("token-name").value.trim();
  if (!name) return $("token-name").focus();
  try {
    const token = await post("tokens", { name });
    $("token-secret").hidden = false;
    $("token-secret").replaceChildren(make("span", {}, "Copy it now; it is not shown again:"), make("code", {}, token.secret));
    event.target.reset();
    await show();
  } catch (error) {
    note(error.message, "bad");
  }
});

await start(() => Promise.all([show(), showSessions()]));
