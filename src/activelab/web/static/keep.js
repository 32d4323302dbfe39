// Answers that this browser keeps until the server has stored them, apart for each person and project.

import { page } from "./api.js";

// Without a database, as in some private windows, the page alone has them.
export let works = true;

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open(page.keep, 1);
  request.onupgradeneeded = () => request.result.createObjectStore("answers", { keyPath: "request" });
  request.onsuccess = () => resolve(request.result);
  request.onerror = reject;
});
opened.catch(() => (works = false));

async function run(mode, work) {
  try {
    const database = await opened;
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction("answers", mode);
      const asked = work(transaction.objectStore("answers"));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = reject;
    });
  } catch {
    works = false;
    return null;
  }
}

export const put = (one) => run("readwrite", (answers) => answers.put(one));
export const remove = (request) => run("readwrite", (answers) => answers.delete(request));
export const all = async () => (await run("readonly", (answers) => answers.getAll())) ?? [];

// Where nothing is kept, nothing is left of the database.
export async function clear() {
  if ((await all()).length) return;
  (await opened.catch(() => null))?.close();
  indexedDB.deleteDatabase(page.keep);
}
