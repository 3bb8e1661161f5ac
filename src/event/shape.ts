// Shapes of items: what a sender's lines have in common. A sender writes the same program's JSON over and over: between the
// values, line after line has identical bytes (names, quotes, commas, white space, braces). A shape is that sequence of
// pieces, learned from an item that the plain path accepted:
//
//   {"@timestamp":"2026-…Z","source":{"ip":"10.0.0.1","port":443}}
//   └── piece ───┘         └──── piece ────┘        └─ piece ─┘  └┘ last piece
//
// An item that repeats the pieces exactly has the same names, nesting, order and types as the one that was learned, so all
// that is left to check are its values (see `column.ts`). Where the learned item had null, "" or "-", the absent value is
// part of the piece.
//
// Shapes that begin alike share their beginnings in a tree, so a sender whose items have optional members still needs one
// walk. A longer piece is tried before a shorter one that it begins with: `"a":"-","b":"` before `"a":"`.

import { canonicalText, type FlatRecord } from './canonical.ts';
import { Column } from './column.ts';
import { matchesAt } from './in-place.ts';
import { readMembers } from './members.ts';

export const COLUMNS_MAX = 128;
const PIECE_BYTES_MAX = 4096;
const CHILDREN_MAX = 64;
const NODES_MAX = 8192;

// Learning costs about as much as six plain items. A sender that invents a new shape for every item must not make us pay
// that each time: learning spends credit, and every item earns a little, so in the long run one item in sixteen teaches.
const CREDIT_MAX = 4096;
const LEARNING_COST = 16;

/** Where a part of the record comes from, beside columns (which are numbered from 0). */
export const FROM_INGESTED = -1;
export const FROM_OBSERVER = -2;
export const FROM_FLOW = -3;

/** Columns of transport, source address and port, destination address and port. */
export type FlowColumns = readonly [number, number, number, number, number];

/** How the record is put together: piece, value, piece, value, … and a last piece. */
export interface Plan {
  readonly pieces: readonly Uint8Array[];
  readonly origins: Int32Array;
  readonly pieceBytes: number;
  /** Set when the flow's identifier is computed. */
  readonly flow: FlowColumns | undefined;
}

export class ShapeNode {
  /** The bytes before this node's value; for the end of a shape, the bytes after the last value. */
  readonly piece: Uint8Array;
  readonly column: Column | undefined;
  /** Longest piece first. */
  readonly children: ShapeNode[] = [];
  /** Only at the end of a shape. */
  readonly plan: Plan | undefined;

  constructor(piece: Uint8Array, column: Column | undefined, plan: Plan | undefined) {
    this.piece = piece;
    this.column = column;
    this.plan = plan;
  }

  /** The child whose piece stands at `at`. */
  next(bytes: Uint8Array, at: number, limit: number): ShapeNode | undefined {
    const children = this.children;
    for (let index = 0; index < children.length; index++) {
      const child = children[index]!;
      if (matchesAt(child.piece, bytes, at, limit)) return child;
    }
    return undefined;
  }
}

export class ShapeTree {
  root = new ShapeNode(new Uint8Array(0), undefined, undefined);
  #nodes = 0;
  #credit = CREDIT_MAX;

  /** To be called for every item. */
  earn(): void {
    if (this.#credit < CREDIT_MAX) this.#credit++;
  }

  /** Learns the shape of an item that the plain path made into this record. Not every item has a shape worth learning. */
  learn(item: Uint8Array, record: FlatRecord): void {
    if (this.#credit < LEARNING_COST) return;
    this.#credit -= LEARNING_COST;
    const members = readMembers(item, COLUMNS_MAX);
    if (members === undefined) return;
    const columns = members.map((member) => new Column(member.name, member.isQuoted));
    const plan = planFor(record, columns);
    if (plan === undefined) return;

    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const member of members) {
      pieces.push(item.slice(at, member.from));
      at = member.to;
    }
    pieces.push(item.slice(at));
    // A line feed may be part of an element of a JSON list, but never of a line.
    if (pieces.some((piece) => piece.includes(0x0a))) return;
    if (pieces.reduce((sum, piece) => sum + piece.length, 0) > PIECE_BYTES_MAX) return;
    this.#insert(pieces, columns, plan);
  }

  #insert(pieces: readonly Uint8Array[], columns: readonly Column[], plan: Plan): void {
    // Starting over costs each honest sender one plain item; choosing what to keep would cost more than it saves.
    if (this.#nodes + pieces.length > NODES_MAX) this.#forget();
    let node = this.root;
    for (const [index, piece] of pieces.entries()) {
      const column = columns[index];
      const same = node.children.find((child) => Buffer.compare(child.piece, piece) === 0);
      if (same !== undefined) {
        // The same name can stand for two fields: the template's are told apart by what comes later in the item.
        if (same.column?.name !== column?.name) return;
        node = same;
        continue;
      }
      if (node.children.length === CHILDREN_MAX) {
        this.#forget();
        return;
      }
      const child = new ShapeNode(piece, column, column === undefined ? plan : undefined);
      node.children.push(child);
      node.children.sort((a, b) => b.piece.length - a.piece.length);
      this.#nodes++;
      node = child;
    }
  }

  #forget(): void {
    this.root = new ShapeNode(new Uint8Array(0), undefined, undefined);
    this.#nodes = 0;
  }
}

const encoder = new TextEncoder();

// What the plain path adds by itself, and what that depends on: on the names alone, so it is the same for every item of
// the shape.
const DERIVED_FROM_NAMES: ReadonlySet<string> = new Set(['record.kind', 'user.proof', 'field.inferred']);
const FLOW_PARTS = ['network.transport', 'source.ip', 'source.port', 'destination.ip', 'destination.port'];

/** Undefined where the record holds something that depends on the values of the learned item. */
function planFor(record: FlatRecord, columns: readonly Column[]): Plan | undefined {
  const columnOf = new Map(columns.map((column, index) => [column.name, index]));
  const names = Object.keys(record);
  if (columns.some((column) => !Object.hasOwn(record, column.name))) return undefined;
  // Ours joined with the sender's: depends on the sender's value.
  if (columnOf.has('field.inferred') && !columnOf.has('record.kind')) return undefined;
  const hasFlowParts = FLOW_PARTS.every((name) => columnOf.has(name));
  // A flow without an identifier this time may have one next time.
  if (hasFlowParts && !names.includes('network.community_id')) return undefined;

  const pieces: Uint8Array[] = [];
  const origins: number[] = [];
  let piece = '{';
  for (const [index, name] of names.entries()) {
    if (index > 0) piece += ',';
    piece += `${canonicalText(name)}:`;
    const column = columnOf.get(name);
    if (column === undefined && DERIVED_FROM_NAMES.has(name)) {
      piece += canonicalText(record[name]!);
      continue;
    }
    const origin = column ?? originOf(name);
    if (origin === undefined) return undefined;
    const quote = column !== undefined && columns[column]!.isStoredBare ? '' : '"';
    pieces.push(encoder.encode(piece + quote));
    origins.push(origin);
    piece = quote;
  }
  pieces.push(encoder.encode(`${piece}}`));
  return {
    pieces,
    origins: Int32Array.from(origins),
    pieceBytes: pieces.reduce((sum, one) => sum + one.length, 0),
    flow: origins.includes(FROM_FLOW)
      ? (FLOW_PARTS.map((name) => columnOf.get(name)!) as unknown as FlowColumns)
      : undefined,
  };
}

function originOf(name: string): number | undefined {
  if (name === 'event.ingested') return FROM_INGESTED;
  if (name === 'observer.name') return FROM_OBSERVER;
  return name === 'network.community_id' ? FROM_FLOW : undefined;
}
