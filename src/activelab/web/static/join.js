import { at, post } from "./api.js";
import { $, capital, start } from "./dom.js";

// The secret stays out of the history and of every request but one.
const [secret, invited = ""] = location.hash.slice(1).split("/");
await start(() => {
  history.replaceState(null, "", at("/join"));
  if (!secret) $("problem").textContent = "This address has no invitation in it. Open the whole link you were given.";
});
// A link that was cut has half a letter at its end.
const whose = (() => {
  try {
    return decodeURIComponent(invited);
  } catch {
    return invited;
  }
})();
if (invited) {
  $("name").value = whose;
  $("name").readOnly = true;
  $("lead").textContent = "You are invited to a labelling project, under the name below. Choose a password.";
}
$(invited ? "password" : "name").focus();

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [name, password] = [$("name").value.trim(), $("password").value];
  if (!name || password.length < 10) {
    $("problem").textContent = name ? "The password needs 10 characters or more." : "Give a name.";
    $(name ? "password" : "name").focus();
    return;
  }
  try {
    await post("join", { secret, name, password });
  } catch (error) {
    $("problem").textContent = capital(error.message);
    return;
  }
  location.replace(at("/"));
});
