// Links that are shown once.

import { at } from "./api.js";
import { make, note } from "./dom.js";

// A path on this site as others write it.
export const whole = (path) => location.origin + at(path);

// Browsers let pages copy over HTTPS and on this machine alone; elsewhere a click marks the whole link.
export function copyButton(link, whose = "") {
  if (!navigator.clipboard) return null;
  const copied = async () => {
    await navigator.clipboard.writeText(link);
    note("The link is copied.");
  };
  return make("button", { type: "button", class: "small", onclick: copied, "aria-label": whose ? `Copy the link of ${whose}` : null }, "Copy");
}

export function showLink(box, path, words) {
  const link = whole(path);
  box.hidden = false;
  box.replaceChildren(make("span", {}, words), make("code", {}, link), copyButton(link) ?? "");
  box.scrollIntoView({ block: "nearest" });
}
