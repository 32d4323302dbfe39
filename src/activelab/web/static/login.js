import { page, post } from "./api.js";
import { $, capital, start } from "./dom.js";

await start(() => null);
$("name").focus();
$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [name, password] = [$("name").value.trim(), $("password").value];
  if (!name || !password) {
    $("problem").textContent = "Give both name and password.";
    $(name ? "password" : "name").focus();
    return;
  }
  try {
    await post("session", { name, password });
  } catch (error) {
    $("problem").textContent = capital(error.message);
    $("password").select();
    return;
  }
  location.replace(next());
});

// Only pages of this server: an address elsewhere would be a trap.
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "";
  return wanted.startsWith(`${page.home}/`) && /^(\/[\w.-]+)+\/?$/.test(wanted) ? wanted : `${page.home}/`;
}
