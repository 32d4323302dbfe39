// What those who lead wrote to this person: shown until they say that they have read it, each once.

import { get, post } from "./api.js";
import { $, capital, make, note, when } from "./dom.js";

export async function showMessages() {
  const unread = await get("messages");
  const there = new Set([...$("messages").children].map((one) => Number(one.dataset.id)));
  for (const one of unread) {
    if (there.has(one.id)) continue;
    const button = make("button", { type: "button", class: "small" }, "I have read it");
    const box = make(
      "div",
      { class: "banner message", "data-id": one.id },
      make("span", {}, make("span", { class: "quiet" }, `${one.by ?? "Whoever leads"}, ${when(one.sent)}`), make("span", { class: "said", dir: "auto" }, one.text)),
      button,
    );
    button.addEventListener("click", async () => {
      try {
        await post(`messages/${one.id}/read`);
        box.remove();
      } catch (error) {
        note(error.passing ? "Offline: the message stays until this can be stored." : capital(error.message), "bad");
      }
    });
    $("messages").append(box);
  }
}
