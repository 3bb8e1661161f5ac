// From the bytes of a file or of standard input to records, one NDJSON line each, without parsing them: what is malformed is
// for the server to quarantine, where it is kept, and not for us to drop.
//
// Two shapes, told apart by the first line that is not blank:
// - lines: every line is a record (NDJSON, JSON Lines)
// - documents: an array of records, or values over several lines (`jq .` output). Each value becomes one line: line ends
//   between its tokens become spaces, and a raw line end inside a string, which JSON forbids, becomes a carriage return,
//   which JSON forbids too, so that a broken value stays broken. Only double quotes open a string.
//
// Memory is bounded by the longest line or value, which is bounded by `itemBytesMax`.

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const TAB = 9;
const QUOTE = 34;
const COMMA = 44;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

export interface InputItem {
  /** One line, without its line end. Undefined where it was longer than `itemBytesMax`: it cannot be sent. */
  readonly bytes: Uint8Array | undefined;
  /** 1-based line of the input where it begins. */
  readonly line: number;
}

/** Takes chunks, gives back the items that they complete. Call `end` once. */
export interface ItemSplitter {
  push(chunk: Uint8Array): InputItem[];
  end(): InputItem[];
}

export function splitItems(itemBytesMax: number): ItemSplitter {
  let chosen: ItemSplitter | undefined;
  let beginning: Uint8Array = new Uint8Array(0);
  const choose = (atEnd: boolean): ItemSplitter | undefined => {
    const shape = shapeOf(beginning, atEnd || beginning.length > itemBytesMax);
    if (shape === undefined) return undefined;
    return shape === 'lines' ? splitLines(itemBytesMax) : splitDocuments(itemBytesMax);
  };
  return {
    push(chunk) {
      if (chosen) return chosen.push(chunk);
      beginning = beginning.length === 0 ? chunk : Buffer.concat([beginning, chunk]);
      chosen = choose(false);
      return chosen ? chosen.push(beginning) : [];
    },
    end() {
      if (chosen) return chosen.end();
      const splitter = choose(true)!;
      return [...splitter.push(beginning), ...splitter.end()];
    },
  };
}

/** Undefined while the first two lines that are not blank have not arrived. */
export function shapeOf(beginning: Uint8Array, complete: boolean): 'lines' | 'documents' | undefined {
  const lines = Buffer.from(beginning)
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .split('\n');
  if (!complete) lines.pop();
  const [first, second] = lines.map((line) => line.trim()).filter((line) => line !== '');
  if (first === undefined) return complete ? 'lines' : undefined;
  if (first.startsWith('[')) return 'documents';
  if (!first.startsWith('{') || isJson(first)) return 'lines';
  // An object that does not end on its line: the beginning of a document, or a line that was cut off. Where the next line
  // begins a new object, it is the latter, and the lines after it must not be swallowed.
  if (second === undefined && !complete) return undefined;
  return second === undefined || second.startsWith('{') ? 'lines' : 'documents';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function splitLines(itemBytesMax: number): ItemSplitter {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let line = 1;
  const take = (last: Uint8Array): InputItem[] => {
    const length = pendingBytes + last.length;
    const whole = pending.length === 0 ? last : Buffer.concat([...pending, last]);
    pending = [];
    pendingBytes = 0;
    const startsAt = line;
    if (length > itemBytesMax) return [{ bytes: undefined, line: startsAt }];
    const bytes = trimBlanks(startsAt === 1 ? withoutByteOrderMark(whole) : whole);
    return bytes.length === 0 ? [] : [{ bytes, line: startsAt }];
  };
  return {
    push(chunk) {
      const items: InputItem[] = [];
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
        items.push(...take(chunk.subarray(start, end)));
        line += 1;
        start = end + 1;
      }
      const rest = chunk.subarray(start);
      pendingBytes += rest.length;
      // Beyond the limit only the length counts: the line will be refused, so its bytes need not be kept.
      if (pendingBytes > itemBytesMax) pending = [];
      else if (rest.length > 0) pending.push(rest);
      return items;
    },
    end: () => (pendingBytes === 0 ? [] : take(new Uint8Array(0))),
  };
}

function splitDocuments(itemBytesMax: number): ItemSplitter {
  let slab = new Uint8Array(64 * 1024);
  let length = 0;
  let line = 1;
  let startLine = 1;
  let depth = 0;
  let inString = false;
  let escaped = false;
  /** Inside the outermost array, whose own brackets and commas are not part of any record. */
  let inArray = false;
  let seenFirst = false;

  const append = (byte: number): void => {
    if (length === 0) startLine = line;
    if (length <= itemBytesMax) {
      if (length === slab.length) {
        const larger = new Uint8Array(slab.length * 2);
        larger.set(slab);
        slab = larger;
      }
      slab[length] = byte;
    }
    length += 1;
  };
  const take = (): InputItem[] => {
    const bytes = length > itemBytesMax ? undefined : trimBlanks(slab.slice(0, length));
    length = 0;
    return bytes !== undefined && bytes.length === 0 ? [] : [{ bytes, line: startLine }];
  };

  return {
    push(chunk) {
      const items: InputItem[] = [];
      for (const byte of chunk) {
        if (inString) {
          append(byte === LINE_FEED ? CARRIAGE_RETURN : byte);
          if (escaped) escaped = false;
          else if (byte === BACKSLASH) escaped = true;
          else if (byte === QUOTE) inString = false;
        } else if (byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === SPACE || byte === TAB) {
          if (length > 0) append(SPACE);
        } else if (depth === 0 && byte === COMMA && inArray) {
          items.push(...take());
        } else if (depth === 0 && byte === CLOSE_BRACKET && inArray) {
          items.push(...take());
          inArray = false;
        } else if (depth === 0 && byte === OPEN_BRACKET && !inArray && length === 0) {
          inArray = true;
        } else if (!seenFirst && (byte === 0xef || byte === 0xbb || byte === 0xbf)) {
          // The byte order mark that some editors put first.
          continue;
        } else {
          append(byte);
          if (byte === QUOTE) inString = true;
          else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
          else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && depth > 0) {
            depth -= 1;
            if (depth === 0 && !inArray) items.push(...take());
          }
        }
        seenFirst = true;
        if (byte === LINE_FEED) line += 1;
      }
      return items;
    },
    end: take,
  };
}

function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function trimBlanks(bytes: Uint8Array): Uint8Array {
  let start = 0;
  let end = bytes.length;
  while (start < end && isBlank(bytes[start]!)) start += 1;
  while (end > start && isBlank(bytes[end - 1]!)) end -= 1;
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CARRIAGE_RETURN;
}
