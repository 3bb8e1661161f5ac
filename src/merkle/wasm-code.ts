// WebAssembly from expressions: each function here gives the bytes of some instructions, and they nest as the value does.
//
//   add(get(a), get(b))   →   local.get a · local.get b · i32x4.add
//
// Only the instructions that `sha256-lanes.ts` needs, under names that its reader knows from SHA-256. Opcodes are those of the
// WebAssembly core specification 2.0, section 5.4; v128 instructions have the prefix 0xfd. A module is put together at the
// start of the process, so that what runs can be read here and no toolchain or binary file has to be trusted.

export type Code = readonly number[];

/** Index of a local variable or parameter. */
export type Local = number;

export const get = (local: Local): Code => [0x20, ...uleb(local)];
export const set = (local: Local, value: Code): Code => [...value, 0x21, ...uleb(local)];

export const i32 = {
  constant: (value: number): Code => [0x41, ...sleb(value)],
  add: (a: Code, b: Code): Code => [...a, ...b, 0x6a],
  subtract: (a: Code, b: Code): Code => [...a, ...b, 0x6b],
  shiftLeft: (a: Code, bits: number): Code => [...a, ...i32.constant(bits), 0x74],
  load: (address: Code, offset = 0): Code => [...address, 0x28, 2, ...uleb(offset)],
  loadByte: (address: Code, offset = 0): Code => [...address, 0x2d, 0, ...uleb(offset)],
};

/** Runs `body` until the local has reached 0, decreasing it by `step` each time. The local is not 0 at first. */
export function countDown(local: Local, step: number, body: Code): Code {
  const next = set(local, i32.subtract(get(local), i32.constant(step)));
  return [0x03, 0x40, ...body, ...next, ...get(local), 0x0d, 0, 0x0b];
}

const v = (opcode: number): Code => [0xfd, ...uleb(opcode)];

/** Loads and stores of 16 bytes need no alignment. */
export const load = (address: Code, offset = 0): Code => [...address, ...v(0x00), 0, ...uleb(offset)];
export const store = (address: Code, value: Code, offset = 0): Code => [
  ...address,
  ...value,
  ...v(0x0b),
  0,
  ...uleb(offset),
];
export const and = (a: Code, b: Code): Code => [...a, ...b, ...v(0x4e)];
export const or = (a: Code, b: Code): Code => [...a, ...b, ...v(0x50)];
export const xor = (...terms: readonly Code[]): Code => chain(v(0x51), terms);
export const add = (...terms: readonly Code[]): Code => chain(v(0xae), terms);
export const shiftLeft = (a: Code, bits: number): Code => [...a, ...i32.constant(bits), ...v(0xab)];
export const shiftRight = (a: Code, bits: number): Code => [...a, ...i32.constant(bits), ...v(0xad)];

/** Four 32-bit lanes picked from `a` (0 to 3) and `b` (4 to 7). */
export const pick = (a: Code, b: Code, lanes: readonly number[]): Code => [
  ...a,
  ...b,
  ...v(0x0d),
  ...lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]),
];

/** Turns the bytes of each lane round: big-endian words in memory are little-endian ones to WebAssembly. */
export const swapBytes = (a: Local): Code => [
  ...get(a),
  ...get(a),
  ...v(0x0d),
  ...[3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12],
];

function chain(operation: Code, [first, ...rest]: readonly Code[]): Code {
  return [...first!, ...rest.flatMap((term) => [...term, ...operation])];
}

export interface WasmFunction {
  readonly name: string;
  /** Number of i32 parameters: locals 0 and up. */
  readonly parameters: number;
  /** Numbers of i32 and v128 locals, which follow the parameters in this order. */
  readonly i32Locals: number;
  readonly v128Locals: number;
  readonly body: Code;
}

/** A module with these exported functions, none of which returns anything, and one imported memory, `env.memory`. */
export function encodeModule(functions: readonly WasmFunction[], pages: number): Buffer {
  const I32 = 0x7f;
  const V128 = 0x7b;
  const text = (name: string) => sized(Buffer.from(name, 'utf8'));
  const section = (id: number, items: readonly Uint8Array[]) =>
    bytes([id], sized(bytes(uleb(items.length), ...items)));
  const types = functions.map(({ parameters }) =>
    bytes([0x60, parameters], Array(parameters).fill(I32), [0]),
  );
  const memory = bytes(text('env'), text('memory'), [0x02, 0x00], uleb(pages));
  const typeOf = functions.map((_, type) => bytes(uleb(type)));
  const exported = functions.map(({ name }, index) => bytes(text(name), [0x00], uleb(index)));
  const bodies = functions.map(({ i32Locals, v128Locals, body }) =>
    sized(bytes([2], uleb(i32Locals), [I32], uleb(v128Locals), [V128], body, [0x0b])),
  );
  return bytes(
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    section(1, types),
    section(2, [memory]),
    section(3, typeOf),
    section(7, exported),
    section(10, bodies),
  );
}

function bytes(...parts: readonly (Code | Uint8Array)[]): Buffer {
  return Buffer.concat(parts.map((part) => (part instanceof Uint8Array ? part : Buffer.from(part))));
}

function sized(part: Uint8Array): Buffer {
  return bytes(uleb(part.length), part);
}

function uleb(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...uleb(value >>> 7)];
}

function sleb(value: number): Code {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...sleb(value >> 7)];
}
