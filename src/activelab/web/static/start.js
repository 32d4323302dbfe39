// A file into a project: dropped or chosen, sent, and what the server takes it for, to be changed. Used where a project
// is made and where it exists; what is done with the file is theirs.

import { ApiError, at, get, page, post } from "./api.js";
import { showContent } from "./content.js";
import { capital, make, number } from "./dom.js";
import { zipped } from "./zip.js";

const CONTENT = { text: "Text", image: "Image", audio: "Audio", video: "Video" };
const MANY = { text: ["text", "texts"], image: ["image", "images"], audio: ["recording", "recordings"], video: ["video", "videos"], table: ["row", "rows"] };
const READ = ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.parquet,.zip,.gz,.manifest";

const counted = (count, [one, many]) => `${number(count)} ${count === 1 ? one : many}`;
const bytes = (count) => (count < 1e6 ? `${number(Math.ceil(count / 1e3))} kB` : `${number(Math.round(count / 1e6))} MB`);

// box: where it is shown. what(): what the file is taken for; kind(): the kind of the examples, or undefined where it is to
// be found out; changed(): called whenever there is something else to see, proposal and all.
export function intake(box, { what = () => "examples", kind = () => undefined, changed = () => {} }) {
  const files = make("input", { type: "file", accept: READ, hidden: true, onchange: () => take([...files.files].map((one) => [one.name, one])) });
  const folder = make("input", { type: "file", webkitdirectory: true, hidden: true, onchange: () => take([...folder.files].map((one) => [one.webkitRelativePath, one])) });
  const choose = (words, input) => make("button", { type: "button", onclick: () => ((input.value = ""), input.click()) }, words);
  const first = choose("Choose a file", files);
  const empty = make(
    "div",
    { class: "dropzone" },
    make("p", {}, "Drop a file or a folder of images here."),
    make("div", { class: "row" }, first, choose("Choose a folder", folder)),
    make("p", { class: "quiet" }, "CSV, JSON, JSON Lines, Parquet, a text file with a text a line, or images as a folder or zip."),
    files,
    folder,
  );
  const state = make("p", { role: "status" });
  const bar = make("progress", { max: 1, "aria-label": "How far it is", hidden: true });
  const problem = make("p", { class: "problem", role: "alert" });
  const about = make("div", {});
  const other = make("button", { type: "button", class: "small", onclick: () => (clear(), first.focus()) }, "Another file");
  const held = make("div", { class: "row between", hidden: true }, make("b", { class: "file" }), other);
  box.replaceChildren(empty, held, state, bar, problem, about);

  const self = { upload: null, proposal: null, name: "", busy: false, take, ask, clear, chosen, done, columns: {} };
  let sending = null;
  let turn = 0; // what was overtaken is not shown

  function hold(words, busy) {
    self.busy = busy;
    state.textContent = words;
    changed();
  }

  // A file keeps its name as it is.
  const sentence = (words) => (words.startsWith(self.name) ? words : capital(words));

  function fail(words) {
    bar.hidden = true;
    problem.textContent = sentence(words);
    hold("", false);
  }

  // Takes files, each [path, file]: several are sent as one zip.
  async function take(chosen) {
    if (!chosen.length) return;
    clear(false);
    const mine = ++turn;
    const single = chosen.length === 1 && !/^image\//.test(chosen[0][1].type) && !chosen[0][0].includes("/");
    const top = chosen[0][0].split("/");
    self.name = single ? chosen[0][0] : `${top.length > 1 ? top[0] : "images"}.zip`;
    const focused = empty.contains(document.activeElement);
    empty.hidden = true;
    held.hidden = false;
    held.firstChild.textContent = single ? self.name : self.name.slice(0, -4);
    if (focused) other.focus();
    try {
      hold("Reading …", true);
      const body = single ? chosen[0][1] : await zipped(chosen.map(([path, file]) => [path.includes("/") ? path.slice(path.indexOf("/") + 1) : path, file]));
      if (mine !== turn) return;
      bar.hidden = false;
      const sent = await send(body, mine);
      if (mine !== turn) return;
      self.upload = sent.id;
      await ask();
    } catch (error) {
      if (mine === turn) fail(error.message);
    }
  }

  function send(body, mine) {
    const request = (sending = new XMLHttpRequest());
    request.open("POST", at(`/api/v1/uploads?name=${encodeURIComponent(self.name)}`));
    request.setRequestHeader("X-CSRF-Token", page.csrf);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (mine !== turn) return;
      bar.value = event.loaded / event.total;
      state.textContent = event.loaded < event.total ? `Sending ${bytes(event.total)} …` : "Looking at it …";
    });
    return new Promise((resolve, reject) => {
      request.addEventListener("load", () => (request.status === 201 ? resolve(request.response) : reject(new ApiError(request.status, request.response ?? {}))));
      for (const end of ["error", "abort"]) request.addEventListener(end, () => reject(new ApiError(0, { message: "The file did not arrive. Send it again." })));
      request.send(body);
    });
  }

  // Asks what the server takes it for; again whenever something of it is changed.
  async function ask(columns = self.columns) {
    if (!self.upload) return;
    self.columns = columns;
    const mine = ++turn;
    problem.textContent = "";
    hold("Looking at it …", true);
    bar.removeAttribute("value");
    bar.hidden = false;
    try {
      const found = await post(`uploads/${self.upload}/proposal`, { what: what(), kind: kind(), columns: self.columns });
      if (mine !== turn) return;
      self.proposal = found;
      bar.hidden = true;
      show(found);
      hold(summary(found), false);
    } catch (error) {
      if (mine === turn) fail(error.message);
    }
  }

  function summary(found) {
    if (what() !== "examples") return found.num_labels ? `${counted(found.num_labels, what() === "gold" ? ["known answer", "known answers"] : ["label", "labels"])}.` : "";
    const labels = found.num_labels ? `, ${counted(found.num_labels, ["label", "labels"])}` : "";
    return `${counted(found.num_rows, MANY[found.kind] ?? MANY.table)}${labels}.`;
  }

  function show(found) {
    // [role, its name, what having no such column is called, if that is possible]
    const roles =
      what() === "examples"
        ? [
            ...(CONTENT[found.kind] ? [[found.kind, CONTENT[found.kind]]] : []),
            ["example", "Id", "none"],
            ["label", "Label", "none"],
            ...(found.columns.label ? [["annotator", "Annotator", "none"]] : []),
          ]
        : [["example", "Id"], ["label", "Label"], ...(what() === "labels" ? [["annotator", "Annotator"]] : [])];
    const pick = ([role, words, none]) => {
      const select = make(
        "select",
        { id: `column-${role}`, onchange: () => ask({ ...self.columns, [role]: select.value }) },
        ...(none || !found.columns[role] ? [make("option", { value: "" }, none ?? "choose")] : []),
        found.names.map((name) => make("option", { value: name }, name)),
      );
      select.value = found.columns[role] ?? "";
      return make("div", {}, make("label", { for: select.id }, words), select);
    };
    // The columns that play no other part may be shown beside the rest.
    const used = Object.values(found.columns).filter((one) => typeof one === "string");
    const rest = what() === "examples" ? found.names.filter((name) => !used.includes(name)) : [];
    const tick = (name) => {
      const ticked = found.columns.show.includes(name);
      const others = () => found.columns.show.filter((one) => one !== name);
      const box = make("input", { type: "checkbox", checked: ticked, onchange: () => ask({ ...self.columns, show: box.checked ? [...others(), name] : others() }) });
      return make("label", {}, box, name);
    };
    const list = (lines) => make("ul", { class: "lines" }, lines.slice(0, 10).map((one) => make("li", {}, sentence(one))));
    const more = found.problems.length > 10 ? make("p", { class: "quiet" }, `And ${number(found.problems.length - 10)} more.`) : null;
    about.replaceChildren(
      ...[
        found.names.length > 1 ? make("div", { class: "row together", role: "group", "aria-label": "Columns" }, roles.map(pick)) : null,
        CONTENT[found.kind] && rest.length ? make("fieldset", { class: "beside" }, make("legend", {}, "Shown beside"), rest.map(tick)) : null,
        found.notes.length ? make("div", { class: "quiet" }, list(found.notes)) : null,
        found.problems.length ? make("div", { class: "problem" }, list(found.problems), more) : null,
        found.preview.length ? make("h3", {}, "The first, as they will be shown") : null,
        found.preview.length ? make("ol", { class: "previews" }, found.preview.map((one) => make("li", { class: "card" }, make("p", { class: "quiet" }, one.name), ...showContent(one.content)))) : null,
      ].filter(Boolean),
    );
  }

  function clear(tell = true) {
    sending?.abort();
    sending = null;
    turn++;
    if (self.upload) fetch(at(`/api/v1/uploads/${self.upload}`), { method: "DELETE", headers: { "X-CSRF-Token": page.csrf } }).catch(() => {});
    Object.assign(self, { upload: null, proposal: null, name: "", busy: false, columns: {} });
    empty.hidden = false;
    held.hidden = bar.hidden = true;
    problem.textContent = state.textContent = "";
    about.replaceChildren();
    if (tell) changed();
  }

  // What is told of it to whoever imports it: what cannot be used, and was shown, is left out.
  function chosen() {
    return { upload: self.upload, columns: self.proposal.columns, leave_out: true, with_labels: self.proposal.classes.length > 0 };
  }

  // Waits for its import, and says how far it is; what it did.
  async function done() {
    bar.hidden = false;
    other.disabled = true;
    for (;;) {
      const { work } = await get(`uploads/${self.upload}`);
      other.disabled = work.state === "running";
      if (work.state === "failed") {
        fail(work.problem);
        return null;
      }
      if (work.state === "done") {
        bar.hidden = true;
        return work;
      }
      hold(`${work.doing || "Importing"} …`, true);
      if (work.total) bar.value = work.at / work.total;
      else bar.removeAttribute("value");
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  // A file may be dropped anywhere on the panel, and does not replace the page where it misses.
  const panel = box.closest(".panel");
  for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
  panel.addEventListener("dragover", () => panel.classList.add("over"));
  for (const end of ["dragleave", "drop"]) panel.addEventListener(end, () => panel.classList.remove("over"));
  panel.addEventListener("drop", async (event) => {
    const entries = [...event.dataTransfer.items].map((one) => one.webkitGetAsEntry()).filter(Boolean);
    const plain = [...event.dataTransfer.files].map((one) => [one.name, one]);
    take(entries.length ? (await Promise.all(entries.map(walk))).flat() : plain);
  });
  return self;
}

// The files of what was dropped, each [path, file].
async function walk(entry) {
  if (entry.isFile) return [[entry.fullPath.slice(1), await new Promise((resolve, reject) => entry.file(resolve, reject))]];
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return (await Promise.all(inside.map(walk))).flat();
    inside.push(...some);
  }
}
