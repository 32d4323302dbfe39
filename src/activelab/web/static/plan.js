// When labelling ends at this pace, what it costs, and how the classes stand.

import { at, get } from "./api.js";
import { confusion, spark, week } from "./charts.js";
import { decimal, make, number, percent, table } from "./dom.js";

const SHOWN = 12; // classes, by their number of examples
const fact = (name, value) => [make("dt", {}, name), make("dd", {}, value)];
const day = (seconds) => new Date(1000 * seconds).toLocaleDateString("en-GB", { dateStyle: "medium" });

export async function showPlan(plan, classes) {
  const now = await get("plan");
  const money = (value) => decimal(value, value < 100 ? 2 : 0);
  plan.replaceChildren(
    make(
      "dl",
      { class: "facts" },
      fact("Labels of the last 14 days", spark(now.days)),
      fact("Today", number(now.days.at(-1))),
      fact("In seven days", number(week(now.days))),
      fact("Pace", now.pace === null ? "nobody has labelled in seven days" : `${decimal(now.pace, now.pace < 10 ? 1 : 0)} a day`),
      fact("The budget is spent", now.left === null ? "no budget is set" : now.left === 0 ? "it is" : now.ends === null ? "not at this pace" : `about ${day(now.ends)}, at this pace`),
      ...(now.paid === null ? [fact("Money", "set the price of a label, or prices of annotators")] : [fact("Paid so far", money(now.paid)), fact("To come", now.to_pay === null ? "no budget is set" : money(now.to_pay))]),
    ),
    ...(now.reasons.length
      ? [make("h3", {}, "Skipped because"), make("ul", { class: "votes" }, now.reasons.slice(0, 6).map((one) => make("li", {}, make("a", { href: at(`/browse?reason=${encodeURIComponent(one.reason)}`) }, one.reason), number(one.number))))]
      : []),
  );
  const rows = now.classes.toSorted((one, other) => other.examples - one.examples);
  const columns = [
    ["Class", (one) => make("a", { href: at(`/browse?label=${encodeURIComponent(one.name)}`) }, one.name)],
    ["Examples", (one) => number(one.examples), "numbers"],
    ["Share", (one) => percent(one.share, 0), "numbers"],
    ["Quality", (one) => decimal(one.quality), "numbers"],
  ];
  classes.replaceChildren(
    table("Classes", columns, rows.slice(0, SHOWN)),
    ...(rows.length > SHOWN ? [make("p", { class: "quiet" }, `${number(rows.length - SHOWN)} more classes have fewer examples.`)] : []),
    ...(confusion("What the model predicts (columns) where this label counts (rows)", now.confusion) ?? []),
  );
}
