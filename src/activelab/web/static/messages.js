// What those who lead wrote to this person: shown until they say that they have read it, each once.

import { get, page, post } from "./api.js";
import { $, capital, make, note, when } from "./dom.js";

export async function showMessages(root = page.root) {
  const unread = await get("messages", root);
  const id = (one) => `${root} ${one.id}`;
  const there = new Set([...$("messages").children].map((one) => one.dataset.id));
  for (const one of unread) {
    if (there.has(id(one))) continue;
    const button = make("button", { type: "button", class: "small" }, "I have read it");
    const box = make(
      "div",
      { class: "banner message", "data-id": id(one) },
      make("span", {}, make("span", { class: "quiet" }, `${one.by ?? "Whoever leads"}, ${when(one.sent)}`), make("span", { class: "said", dir: "auto" }, one.text)),
      button,
    );
    button.addEventListener("click", async () => {
      try {
        await post(`messages/${one.id}/read`, {}, null, root);
        box.remove();
      } catch (error) {
        note(error.passing ? "Offline: the message stays until this can be stored." : capital(error.message), "bad");
      }
    });
    $("messages").append(box);
  }
}
