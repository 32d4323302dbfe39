// Classes by what somebody types: words in any order, without accents and case, with letters left out or wrong.

const LETTERS = { ß: "ss", ø: "o", ł: "l", đ: "d", æ: "ae", œ: "oe", ı: "i" };
const fold = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}+/gu, "").replace(/[ßøłđæœı]/g, (one) => LETTERS[one]);
const wordsOf = (text) => fold(text).match(/[\p{L}\p{N}]+/gu) ?? [];

// What is looked at of a text, of words beside it that may be meant instead, and of a heading above it.
export function indexed(text, aside = "", heading = "") {
  const words = wordsOf(text);
  const starts = words.map((_, place) => words.slice(place).join(""));
  const joined = words.join("");
  return { words: [...words, ...wordsOf(heading)], starts, joined, initials: words.map((word) => word[0]).join(""), aside: ` ${wordsOf(aside).join(" ")}`, letters: lettersOf(joined) };
}

// Letters as bits: what a text has not got is seen without reading it.
const lettersOf = (text) => [...text].reduce((bits, one) => bits | (1 << one.charCodeAt(0) % 32), 0);
function missing(typed, one) {
  let bits = lettersOf(typed) & ~one.letters;
  let count = 0;
  for (; bits; bits &= bits - 1) count += 1;
  return count;
}

// How far a word is from what was typed; plain finds are at most PLAIN, what is none is Infinity.
const PLAIN = 0.5;
function far(typed, one) {
  let least = Infinity;
  for (const word of one.words) {
    if (word === typed) return 0;
    if (word.startsWith(typed)) least = Math.min(least, 0.2 - (0.1 * typed.length) / word.length);
  }
  if (least < Infinity) return least;
  if (one.joined.includes(typed)) return 0.4;
  if (typed.length > 1 && one.initials.includes(typed)) return PLAIN;
  if (one.aside.includes(` ${typed}`)) return 1;
  const most = typed.length < 4 ? 0 : typed.length < 8 ? 1 : 2;
  const lack = missing(typed, one);
  if (lack > most) return Infinity;
  for (const start of one.starts) {
    const wrong = most ? slips(typed, start, most) : Infinity;
    if (wrong <= most) least = Math.min(least, 0.6 + 0.1 * wrong);
    else if (typed.length > 2 && !lack) least = Math.min(least, 0.8 + 0.02 * gaps(typed, start));
  }
  return least;
}

// The fewest letters that are wrong, missing, too many, or swapped, between what was typed and a beginning of a
// text: the optimal string alignment distance. More than `most` is Infinity.
function slips(typed, text, most) {
  if (typed[0] !== text[0] && typed[1] !== text[0] && typed[0] !== text[1] && typed[1] !== text[1]) return Infinity;
  const size = typed.length;
  let [before, last, row] = rows;
  for (let place = 0; place <= size; place += 1) last[place] = place;
  let least = Infinity;
  const end = Math.min(text.length, size + most);
  for (let at = 1; at <= end; at += 1) {
    row[0] = at;
    let lowest = at;
    for (let place = 1; place <= size; place += 1) {
      let steps = Math.min(last[place] + 1, row[place - 1] + 1, last[place - 1] + (typed[place - 1] === text[at - 1] ? 0 : 1));
      if (place > 1 && at > 1 && typed[place - 1] === text[at - 2] && typed[place - 2] === text[at - 1]) steps = Math.min(steps, before[place - 2] + 1);
      row[place] = steps;
      if (steps < lowest) lowest = steps;
    }
    if (lowest > most) break;
    least = Math.min(least, row[size]);
    [before, last, row] = [last, row, before];
  }
  return least <= most ? least : Infinity;
}
const rows = [[], [], []]; // of the table, which is made once

// Letters between those that were typed, in their order, from the beginning of a text; Infinity if it has not all of them.
function gaps(typed, text) {
  if (typed[0] !== text[0]) return Infinity;
  let at = 0;
  for (const letter of typed) {
    at = text.indexOf(letter, at) + 1;
    if (!at) return Infinity;
  }
  return at <= 2 * typed.length ? at - typed.length : Infinity;
}

const done = new WeakMap();

// The places of those that fit, the best first; of equals the more usual one, by `bonus` of a place, then the shorter.
// What has slips is shown only where nothing fits without.
export function rank(text, all, bonus = () => 0) {
  const typed = wordsOf(text);
  const whole = typed.join("");
  const found = [];
  let plain = false;
  // A word that was typed before is not looked for again.
  const costs = typed.map((word) => {
    if (!done.get(all)?.has(word)) done.set(all, new Map([...(done.get(all) ?? [])].slice(-8)).set(word, Float32Array.from(all, (one) => far(word, one))));
    return done.get(all).get(word);
  });
  all.forEach((one, place) => {
    let sum = 0;
    let worst = 0;
    for (const cost of costs) {
      sum += cost[place];
      worst = Math.max(worst, cost[place]);
    }
    if (sum === Infinity) return;
    plain ||= worst <= PLAIN;
    found.push({ place, worst, cost: sum - (one.joined === whole) - 0.05 * bonus(place) + one.joined.length / 10_000 });
  });
  if (!typed.length) return [];
  return found
    .filter((one) => !plain || one.worst <= PLAIN)
    .sort((one, other) => one.cost - other.cost || one.place - other.place)
    .map((one) => one.place);
}
