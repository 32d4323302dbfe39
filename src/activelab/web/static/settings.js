import { call, get } from "./api.js";
import { $, note, start } from "./dom.js";

const NUMBERS = ["budget", "batch_size", "labels_per_round", "max_labels", "lease_seconds", "train_every", "train_hours"];
let settings;

function show(project) {
  settings = project.settings;
  $("title").value = settings.title;
  $("guidelines").value = settings.guidelines;
  $("added").value = "";
  $("classes-hint").textContent = `There are: ${settings.classes.join(", ") || "none yet"}. They cannot be renamed or removed.`;
  for (const name of NUMBERS) $(name).value = settings[name] ?? "";
  $("gold_rate").value = +(100 * settings.gold_rate).toFixed(4);
  $("automatic").checked = settings.automatic;
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("problem").textContent = "";
  const added = $("added").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const wanted = {
    title: $("title").value.trim(),
    guidelines: $("guidelines").value,
    gold_rate: Number($("gold_rate").value) / 100,
    automatic: $("automatic").checked,
  };
  for (const name of NUMBERS) wanted[name] = $(name).value === "" ? null : Number($(name).value);
  if (added.length) wanted.classes = [...settings.classes, ...added];
  // Only what was changed is sent: somebody else may have changed the rest meanwhile.
  for (const name of Object.keys(wanted)) if (wanted[name] === settings[name]) delete wanted[name];
  try {
    show(await call("PATCH", "project", wanted));
    note("The settings are saved.");
  } catch (error) {
    $("problem").textContent = `${error.field ? `${error.field}: ` : ""}${error.message}`;
  }
});

await start(async () => show(await get("project")));
