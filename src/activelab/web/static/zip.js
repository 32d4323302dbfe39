// Files as one zip, stored as they are: a folder is sent in one request, and its files are never held in memory together.

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(data) {
  let crc = ~0;
  for (let at = 0; at < data.length; at++) crc = CRC[(crc ^ data[at]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

// Numbers of 16 and 32 bits, as [bytes, value].
function record(fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [width]) => sum + width, 0)));
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return view.buffer;
}

// files: [path, file]. What the system keeps beside them, and is hidden, is left out.
export async function zipped(files) {
  const parts = [];
  const directory = [];
  let at = 0;
  const kept = files.filter(([path]) => !/(^|\/)[.]|(^|\/)(Thumbs[.]db|__MACOSX)/.test(path));
  if (kept.length > 65535 || kept.reduce((sum, [, file]) => sum + file.size, 0) > 0xf0000000) {
    throw new Error("These are too many files, or too large, to be sent: at most 65,535 and 4 GB.");
  }
  for (const [path, file] of kept) {
    const name = new TextEncoder().encode(path);
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    // Version, names in UTF-8, stored, 1 January 1980, checksum, size twice, lengths.
    const shared = [[2, 20], [2, 0x800], [2, 0], [2, 0], [2, 33], [4, crc], [4, file.size], [4, file.size], [2, name.length], [2, 0]];
    parts.push(record([[4, 0x04034b50], ...shared]), name, file);
    directory.push(record([[4, 0x02014b50], [2, 20], ...shared, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]]), name);
    at += 30 + name.length + file.size;
  }
  const size = directory.reduce((sum, one) => sum + one.byteLength, 0);
  const end = record([[4, 0x06054b50], [2, 0], [2, 0], [2, kept.length], [2, kept.length], [4, size], [4, at], [2, 0]]);
  return new Blob([...parts, ...directory, end]);
}
