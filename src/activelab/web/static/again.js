// Logging in again on the page, as the same person: whoever was logged out goes on where they were.

import { page, post, session } from "./api.js";
import { $, capital } from "./dom.js";

export const about = { kept: () => "your answers are kept here" };
let asking = null;
let later = false; // somebody has said: not now

session.ended = async (who) => !later && askAgain(who);

// Whether they have logged in again.
export function askAgain(who = null) {
  later = false;
  asking ??= new Promise((resolve) => {
    $("login-why").textContent = who
      ? `${who} is logged in here now, and you are not; ${about.kept()}.`
      : `You were logged out; ${about.kept()}.`;
    $("login-name").value = page.account.name;
    $("login-password").value = "";
    $("login-problem").textContent = "";
    $("login-dialog").showModal();
    $("login-password").focus();
    $("login-dialog").onclose = () => {
      later = $("login-dialog").returnValue !== "in";
      resolve(!later);
    };
  }).finally(() => (asking = null));
  return asking;
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const now = await post("session", { name: page.account.name, password: $("login-password").value });
    page.csrf = now.csrf;
    $("login-dialog").close("in");
  } catch (error) {
    $("login-problem").textContent = capital(error.message);
    $("login-password").select();
  }
});
$("login-later").addEventListener("click", () => $("login-dialog").close("later"));
