// What a key means, on any keyboard.

// The meanings of a key, the likeliest first: what it writes, and, where that is no Latin letter or digit, what a Latin
// keyboard has in its place: digits that need Shift in France, letters in Greece or Russia.
export function meanings(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key.length > 1 || /^[a-z0-9]$/.test(key)) return [key];
  const digit = !event.shiftKey && /^Digit(\d)$/.exec(event.code);
  const letter = key > "\x7f" && /^Key([A-Z])$/.exec(event.code);
  return [key, ...(digit ? [digit[1]] : letter ? [letter[1].toLowerCase()] : [])];
}

// Whether one of the meanings of a key did something; `act` says so.
export function pressed(event, act) {
  const done = meanings(event).some(act);
  if (done) event.preventDefault();
  return done;
}
