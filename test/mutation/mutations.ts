// Ways in which stored bytes get changed, by accident or on purpose. Each draws what it needs from a seeded source of chance and
// answers with the files as they should be afterwards, or undefined where it found nothing to do.

export type Files = ReadonlyMap<string, Buffer>;

/** Files to write; undefined for one to delete. */
export interface Mutation {
  readonly what: string;
  readonly changes: ReadonlyMap<string, Buffer | undefined>;
}

export interface Chance {
  /** A whole number from 0 up to, without, `below`. */
  below(below: number): number;
  pick<T>(items: readonly T[]): T;
}

/** mulberry32: small, and the same everywhere. */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return { below, pick: (items) => items[below(items.length)]! };
}

type Mutate = (files: Files, chance: Chance, past: readonly Files[]) => Mutation | undefined;

const flip: Mutate = (files, chance) => {
  const [path, bytes] = pickFile(files, chance);
  const bit = chance.below(bytes.length * 8);
  const changed = Buffer.from(bytes);
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return change(`flip bit ${bit & 7} of byte ${bit >> 3} in ${path}`, [path, changed]);
};

const truncate: Mutate = (files, chance) => {
  const [path, bytes] = pickFile(files, chance);
  // Half of the time near the end, where cuts are hardest to notice.
  const length =
    chance.below(2) === 0
      ? chance.below(bytes.length)
      : bytes.length - 1 - chance.below(Math.min(8, bytes.length));
  return change(`truncate ${path} from ${bytes.length} to ${length} bytes`, [
    path,
    bytes.subarray(0, length),
  ]);
};

const extend: Mutate = (files, chance) => {
  const [path, bytes] = pickFile(files, chance);
  const more = Buffer.from(
    Array.from({ length: 1 + chance.below(chance.pick([2, 200])) }, () => chance.below(256)),
  );
  // What looks like the beginning of a frame, or like a sector that a power cut lost, is what a crash leaves: a note, no damage.
  if (more[0] === 0 || more[0] === 0x50) more[0] = 0x51;
  return change(`extend ${path} by ${more.length} bytes`, [path, Buffer.concat([bytes, more])]);
};

const repeatEnd: Mutate = (files, chance) => {
  const [path, bytes] = pickFile(files, chance);
  const end = bytes.subarray(chance.below(bytes.length));
  if (end[0] === 0 || end[0] === 0x50) return undefined;
  return change(`repeat the last ${end.length} bytes of ${path}`, [path, Buffer.concat([bytes, end])]);
};

const overwrite: Mutate = (files, chance) => {
  const [path, bytes] = pickFile(files, chance);
  const start = chance.below(bytes.length);
  const end = Math.min(bytes.length, start + 1 + chance.below(64));
  const changed = Buffer.from(bytes);
  const value = chance.pick([0x00, 0xff, 0x20, 0x0a]);
  changed.fill(value, start, end);
  return change(`overwrite bytes ${start} to ${end} of ${path} with ${value}`, [path, changed]);
};

const removeBytes: Mutate = (files, chance) => {
  const [path, bytes] = pickFile(files, chance);
  const start = chance.below(bytes.length);
  const end = Math.min(bytes.length, start + 1 + chance.below(64));
  const changed = Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  return change(`remove bytes ${start} to ${end} of ${path}`, [path, changed]);
};

const swapFiles: Mutate = (files, chance) => {
  const [a, bytesOfA] = pickFile(files, chance);
  const [b, bytesOfB] = pickFile(files, chance);
  return change(`swap ${a} and ${b}`, [a, bytesOfB], [b, bytesOfA]);
};

const swapRanges: Mutate = (files, chance) => {
  const [a, bytesOfA] = pickFile(files, chance);
  const [b, bytesOfB] = chance.below(2) === 0 ? ([a, bytesOfA] as const) : pickFile(files, chance);
  const length = 1 + chance.below(Math.min(bytesOfA.length, bytesOfB.length, chance.pick([4, 32, 1000])));
  const atA = chance.below(bytesOfA.length - length + 1);
  const atB = chance.below(bytesOfB.length - length + 1);
  if (a === b && Math.abs(atA - atB) < length) return undefined;
  const changedA = Buffer.from(bytesOfA);
  const changedB = a === b ? changedA : Buffer.from(bytesOfB);
  bytesOfB.copy(changedA, atA, atB, atB + length);
  bytesOfA.copy(changedB, atB, atA, atA + length);
  return change(`swap ${length} bytes at ${atA} of ${a} and at ${atB} of ${b}`, [a, changedA], [b, changedB]);
};

const remove: Mutate = (files, chance) => {
  const [path] = pickFile(files, chance);
  // Nobody needs what only earlier checkpoints needed (C2SP tlog-tiles lets the full tile take its place).
  if (isSuperseded(path, files)) return undefined;
  return change(`delete ${path}`, [path, undefined]);
};

const replay: Mutate = (files, chance, past) => {
  const earlier = chance.pick(past);
  const [path, bytes] = pickFile(earlier, chance);
  return files.has(path) ? change(`replay an older ${path}`, [path, bytes]) : undefined;
};

const duplicate: Mutate = (files, chance) => {
  const [path, bytes] = pickFile(files, chance);
  const slash = path.lastIndexOf('/');
  const [directory, name] = [path.slice(0, slash + 1), path.slice(slash + 1)];
  const [other] = pickFile(files, chance);
  const copy = chance.pick([
    `${directory}${name}.copy`,
    `${directory}copy-${name}`,
    `${directory}${String(chance.below(12)).padStart(name.length, '0')}`,
    `${directory}${name.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 1) % 10))}`,
    `${directory}${1 + chance.below(255)}`,
    other.slice(0, other.lastIndexOf('/') + 1) + name,
    `${directory}deeper/${name}`,
  ]);
  return copy === path ? undefined : change(`duplicate ${path} as ${copy}`, [copy, bytes]);
};

export const MUTATIONS: readonly Mutate[] = [
  flip,
  flip,
  truncate,
  extend,
  repeatEnd,
  overwrite,
  removeBytes,
  swapFiles,
  swapRanges,
  remove,
  replay,
  duplicate,
];

/** A mutation that changes something. */
export function nextMutation(files: Files, chance: Chance, past: readonly Files[]): Mutation {
  for (;;) {
    const mutation = chance.pick(MUTATIONS)(files, chance, past);
    if (mutation === undefined) continue;
    const changesSomething = [...mutation.changes].some(([path, bytes]) => {
      const before = files.get(path);
      return before === undefined || bytes === undefined || !before.equals(bytes);
    });
    if (changesSomething) return mutation;
  }
}

/** A kind of file first, so that the few small files are met as often as the many tiles. */
function pickFile(files: Files, chance: Chance): readonly [string, Buffer] {
  const kinds = Map.groupBy(files.keys(), kindOf);
  for (;;) {
    const path = chance.pick(kinds.get(chance.pick([...kinds.keys()]))!);
    const bytes = files.get(path)!;
    if (bytes.length > 0) return [path, bytes];
  }
}

function kindOf(path: string): string {
  const partial = path.includes('.p/') ? ' partial' : '';
  return (
    path.replaceAll(/ledgers\/[^/]+\/|keys\/[^/]+\/|x?\d{3,}(\.p\/\d+)?/g, (part) =>
      part.split('/')[0]!.replaceAll(/\d+/g, ''),
    ) + partial
  );
}

/** A partial tile whose place has a wider one. */
function isSuperseded(path: string, files: Files): boolean {
  const [, place, width] = /^(.*)\.p\/(\d+)$/.exec(path) ?? [];
  if (place === undefined) return false;
  if (files.has(place)) return true;
  return [...files.keys()].some(
    (other) => other.startsWith(`${place}.p/`) && Number(other.slice(place.length + 3)) > Number(width),
  );
}

function change(what: string, ...changes: readonly (readonly [string, Buffer | undefined])[]): Mutation {
  return { what, changes: new Map(changes) };
}
