import { call, get } from "./api.js";
import { $, lines, make, note, start } from "./dom.js";
import { showClasses } from "./reclass.js";

const controls = [...document.querySelectorAll("[data-setting]")];
let shown; // what each control held when it was filled

const figure = (text) => (text.trim() === "" ? null : Number(text));

// A part of one's own was set by command; here it can be kept, or given up for another.
function pick(control, value) {
  if (![...control.options].some((option) => option.value === value)) control.append(make("option", {}, value));
  control.value = value;
}

// How a control of a kind is filled and read.
const KINDS = {
  text: [(control, value) => (control.value = value ?? ""), (control) => control.value],
  choice: [pick, (control) => control.value],
  list: [(control, value) => (control.value = value.join("\n")), (control) => lines(control.value)],
  switch: [(control, value) => (control.checked = value), (control) => control.checked],
  whole: [(control, value) => (control.value = value ?? ""), (control) => figure(control.value)],
  number: [(control, value) => (control.value = value ?? ""), (control) => figure(control.value)],
};
const read = (control) => KINDS[control.dataset.kind][1](control);

function show(project) {
  for (const control of controls) KINDS[control.dataset.kind][0](control, project.settings[control.dataset.setting]);
  shown = new Map(controls.map((control) => [control, JSON.stringify(read(control))]));
}

// What was refused is said with the words that stand above the control.
function refuse(error) {
  const control = error.field && $(error.field.split(".")[0]);
  let words = error.message;
  if (control) {
    if (words.startsWith(control.id)) words = control.labels[0].textContent + words.slice(control.id.length);
    control.setAttribute("aria-invalid", "true");
    control.focus();
  }
  $("problem").textContent = words;
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("problem").textContent = "";
  for (const control of controls) control.removeAttribute("aria-invalid");
  // Only what was changed is sent: somebody else may have changed the rest meanwhile.
  const changed = controls.filter((control) => JSON.stringify(read(control)) !== shown.get(control));
  try {
    show(await call("PATCH", "project", Object.fromEntries(changed.map((control) => [control.id, read(control)]))));
    note("The settings are saved.");
    await showClasses(refill);
  } catch (error) {
    if (error.status === undefined) throw error;
    refuse(error);
  }
});

// Other changes that are not saved yet stay as they are.
async function refill() {
  const control = $("classes");
  KINDS.list[0](control, (await get("project")).settings.classes);
  shown.set(control, JSON.stringify(read(control)));
}

await start(async () => {
  show(await get("project"));
  await showClasses(refill);
});
