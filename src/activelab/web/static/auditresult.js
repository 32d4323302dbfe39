// What an audit says, on the dashboard and on its own page.

import { at, get, page } from "./api.js";
import { words } from "./choose.js";
import { make, number, percent, table, when } from "./dom.js";

const range = (row) => `${percent(row.low)} to ${percent(row.high)}`;

// The sentence, and how far the checks are.
export function summary(audit) {
  const facts = [
    `${number(audit.checked)} of ${number(audit.drawn)} checked`,
    audit.checked ? `${number(audit.wrong)} of them wrong and corrected` : null,
    audit.known ? `${number(audit.known)} decided or known labels count as right` : null,
    `drawn ${when(audit.time)}${audit.by ? ` by ${audit.by}` : ""}`,
  ];
  return [
    make("p", {}, make("strong", {}, audit.sentence)),
    make("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")),
  ];
}

// How common each class is.
export function classTable(audit) {
  const columns = [
    ["Class", (row) => words(row.label)],
    ["Share", (row) => percent(row.share), "numbers"],
    ["Interval", range, "numbers"],
  ];
  return table("How common each class is", columns, audit.classes);
}

export function safeWords(audit) {
  const limits = `at most ${percent(audit.epsilon)} of them are wrong, with ${percent(1 - audit.delta, 0)} confidence`;
  if (!audit.safe) return `No labels can be called safe to ship yet, so that ${limits}: that takes more checks, or a larger share.`;
  return `${number(audit.safe)} of ${number(audit.labels)} labels are safe to ship: ${limits}.`;
}

export const safeAddress = (audit) => at(`/api/v1/audits/${audit.id}/safe?epsilon=${audit.epsilon}&delta=${audit.delta}&checker_error=${audit.checker_error}`);

// The panel of the dashboard: the latest audit.
export async function showAudit(place) {
  const [latest] = await get("audits");
  const go = (words) => make("a", { href: at("/audit") }, words);
  if (!latest) {
    place.replaceChildren(make("p", { class: "quiet" }, "How many labels are right is told by checking a few. ", go("Begin an audit")));
    return;
  }
  const done = latest.checked === latest.drawn;
  const more = [go(done ? "Classes, and the next audit" : "Go on checking")];
  if (latest.safe) more.push(" · ", make("a", { href: safeAddress(latest), download: true }, "Download the labels safe to ship"));
  place.replaceChildren(
    ...summary(latest),
    ...(latest.checked ? [make("p", {}, safeWords(latest))] : []),
    make("p", { class: "more" }, more),
  );
}
