// A goal of the day of one's own, which stays in this browser, and how the day goes.

import { page } from "./api.js";
import { $, number } from "./dom.js";

const KEY = `goal-${page.account.id}`;
let read = null; // the progress as it was read last

// When the day began here, in seconds since 1970.
export const today = () => new Date().setHours(0, 0, 0, 0) / 1000;

const goal = () => Number(localStorage.getItem(KEY) ?? read.goal ?? 0);

function left() {
  const more = goal() - read.today;
  if (!goal() || !read.pace) return null;
  return more > 0 ? `about ${number(Math.max(Math.ceil((60 * more) / read.pace), 1))} min left` : "goal reached";
}

export function show(progress) {
  read = progress;
  $("goal").hidden = !read || read.today === null;
  if ($("goal").hidden) return;
  const parts = [goal() ? `${number(read.today)} of ${number(goal())} today` : `${number(read.today)} today`];
  if (read.pace) parts.push(`${number(Math.round(read.pace))} an hour`);
  $("goal").textContent = [...parts, left()].filter(Boolean).join(" · ");
  $("goal").title = "Set a goal of the day";
}

$("goal").addEventListener("click", () => {
  $("goal-number").value = goal() || "";
  $("goal-told").textContent = read.goal ? `The project proposes ${number(read.goal)} answers a day.` : "It stays in this browser; nobody else sees it.";
  $("goal-dialog").showModal();
});
$("goal-cancel").addEventListener("click", () => $("goal-dialog").close());
$("goal-form").addEventListener("submit", () => {
  localStorage.setItem(KEY, $("goal-number").value || "0");
  show(read);
});
