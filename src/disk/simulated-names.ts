// The names on the simulated disk: directories, what programs see in them, and what a crash may leave.
//
// Creating, renaming and removing are changes that wait until their directory is synced; a crash keeps each waiting one or
// not, in any combination, except that
// - of several changes to the same name a later one is never kept without the earlier ones, and
// - a rename within one directory is one change: it has happened or it has not;
// - a rename between two directories is two: the new name first, then the end of the old one. So a crash can leave both
//   names, never neither. File systems with a journal keep that much.

import { posix } from 'node:path';
import { diskError } from './disk-error.ts';
import type { SeededRandom } from './seeded-random.ts';
import { randomLikelihood, randomSurvival, SimulatedFile, type Survival } from './simulated-file.ts';

export type SimulatedNode = SimulatedFile | SimulatedDirectory;

export class SimulatedDirectory {
  readonly names = new Map<string, SimulatedNode>();
  /** What every crash leaves. */
  readonly durable = new Map<string, SimulatedNode>();
  /** The latest change to each name that waits for a sync. */
  readonly waiting = new Map<string, NameChange>();
}

export interface Place {
  readonly directory: SimulatedDirectory;
  readonly name: string;
}

/** One name and what it leads to from now on; undefined: nothing. */
interface Assignment extends Place {
  readonly node: SimulatedNode | undefined;
}

interface NameChange {
  readonly assignments: readonly Assignment[];
  /** Changes without which this one makes no sense. */
  readonly after: readonly NameChange[];
}

export class SimulatedNames {
  readonly root = new SimulatedDirectory();
  /** In the order in which they were made. */
  readonly #waiting = new Set<NameChange>();

  /** What a path leads to, or undefined. Relative paths begin at the root. */
  nodeAt(path: string, action: string): SimulatedNode | undefined {
    let node: SimulatedNode | undefined = this.root;
    for (const name of posix.resolve('/', path).split('/')) {
      if (name === '') continue;
      if (node === undefined) return undefined;
      if (node instanceof SimulatedFile) throw diskError('ENOTDIR', action, path);
      node = node.names.get(name);
    }
    return node;
  }

  /** Errors name the path that the program asked for. */
  directoryAt(path: string, action: string, asked = path): SimulatedDirectory {
    const node = this.nodeAt(path, action);
    if (node === undefined) throw diskError('ENOENT', action, asked);
    if (node instanceof SimulatedFile) throw diskError('ENOTDIR', action, asked);
    return node;
  }

  /** Where a name is, or would be: its directory must exist. */
  placeOf(path: string, action: string): Place {
    const absolute = posix.resolve('/', path);
    return {
      directory: this.directoryAt(posix.dirname(absolute), action, path),
      name: posix.basename(absolute),
    };
  }

  *files(directory = this.root, prefix = '/'): Generator<readonly [path: string, file: SimulatedFile]> {
    for (const [name, node] of directory.names) {
      if (node instanceof SimulatedFile) yield [prefix + name, node];
      else yield* this.files(node, `${prefix}${name}/`);
    }
  }

  set({ directory, name }: Place, node: SimulatedNode): void {
    this.#change([{ directory, name, node }]);
  }

  remove({ directory, name }: Place): void {
    const node = directory.names.get(name);
    // A directory goes only after what was in it: a file that was moved out of it must not be lost with it.
    const after = node instanceof SimulatedDirectory ? [...node.waiting.values()] : [];
    this.#change([{ directory, name, node: undefined }], after);
  }

  rename(from: Place, to: Place): void {
    const node = from.directory.names.get(from.name);
    const arrival = { ...to, node };
    const departure = { ...from, node: undefined };
    if (from.directory === to.directory) {
      // The departure first: a file may be renamed to its own name.
      this.#change([departure, arrival]);
    } else {
      this.#change([departure], [this.#change([arrival])]);
    }
  }

  #change(assignments: readonly Assignment[], after: NameChange[] = []): NameChange {
    for (const { directory, name } of assignments) {
      const earlier = directory.waiting.get(name);
      if (earlier !== undefined) after.push(earlier);
    }
    const change: NameChange = { assignments, after };
    for (const { directory, name, node } of assignments) {
      assign(directory.names, name, node);
      directory.waiting.set(name, change);
    }
    this.#waiting.add(change);
    return change;
  }

  sync(directory: SimulatedDirectory): void {
    for (const change of [...directory.waiting.values()]) this.#settle(change);
  }

  #settle(change: NameChange): void {
    // What is no longer waiting has been settled before, by way of another name.
    if (!this.#waiting.delete(change)) return;
    for (const earlier of change.after) this.#settle(earlier);
    for (const { directory, name, node } of change.assignments) {
      assign(directory.durable, name, node);
      if (directory.waiting.get(name) === change) directory.waiting.delete(name);
    }
  }

  /** The names, and the files they lead to, as they are found after the power came back. */
  crashed(random: SeededRandom, forced?: Survival): SimulatedNames {
    const kept = this.#keptChanges(random, forced ?? randomSurvival(random));
    const foundNames = new Map<SimulatedDirectory, Map<string, SimulatedNode>>();
    const namesOf = (directory: SimulatedDirectory): Map<string, SimulatedNode> => {
      let names = foundNames.get(directory);
      if (names === undefined) {
        names = new Map(directory.durable);
        foundNames.set(directory, names);
      }
      return names;
    };
    for (const { assignments } of kept) {
      for (const { directory, name, node } of assignments) assign(namesOf(directory), name, node);
    }
    const found = new SimulatedNames();
    // A node with two names is one node afterwards too.
    const copies = new Map<SimulatedNode, SimulatedNode>([[this.root, found.root]]);
    const fill = (from: SimulatedDirectory, to: SimulatedDirectory): void => {
      for (const [name, node] of namesOf(from)) {
        let copy = copies.get(node);
        if (copy === undefined) {
          copy =
            node instanceof SimulatedFile
              ? node.crashed(random, forced ?? randomSurvival(random))
              : new SimulatedDirectory();
          copies.set(node, copy);
          if (node instanceof SimulatedDirectory) fill(node, copy as SimulatedDirectory);
        }
        to.names.set(name, copy);
        to.durable.set(name, copy);
      }
    };
    fill(this.root, found.root);
    return found;
  }

  #keptChanges(random: SeededRandom, survival: Survival): Set<NameChange> {
    const kept = new Set<NameChange>();
    const likelihood = randomLikelihood(random);
    const firstLost = random.below(this.#waiting.size + 1);
    let nth = 0;
    for (const change of this.#waiting) {
      const happened =
        survival === 'everything' ||
        (survival === 'prefix' && nth < firstLost) ||
        (survival === 'some' && random.chance(likelihood));
      nth++;
      const makesSense = change.after.every((earlier) => kept.has(earlier) || !this.#waiting.has(earlier));
      if (happened && makesSense) kept.add(change);
    }
    return kept;
  }

  /** The same names and files, waiting changes included, for another disk to go on with. */
  clone(): SimulatedNames {
    const twin = new SimulatedNames();
    const copies = new Map<SimulatedNode, SimulatedNode>([[this.root, twin.root]]);
    const copyOf = <T extends SimulatedNode>(node: T): T => {
      let copy = copies.get(node);
      if (copy === undefined) {
        copy = node instanceof SimulatedFile ? node.clone() : new SimulatedDirectory();
        copies.set(node, copy);
        if (node instanceof SimulatedDirectory) copyNames(node, copy as SimulatedDirectory);
      }
      return copy as T;
    };
    const copyNames = (from: SimulatedDirectory, to: SimulatedDirectory): void => {
      for (const [name, node] of from.names) to.names.set(name, copyOf(node));
      for (const [name, node] of from.durable) to.durable.set(name, copyOf(node));
    };
    copyNames(this.root, twin.root);
    const twins = new Map<NameChange, NameChange>();
    for (const change of this.#waiting) {
      const assignments = change.assignments.map(({ directory, name, node }) => ({
        directory: copyOf(directory),
        name,
        node: node && copyOf(node),
      }));
      const after = change.after.flatMap((earlier) => twins.get(earlier) ?? []);
      const changeTwin: NameChange = { assignments, after };
      twins.set(change, changeTwin);
      twin.#waiting.add(changeTwin);
      // In order, so that the latest change to a name is the one that stays.
      for (const { directory, name } of assignments) directory.waiting.set(name, changeTwin);
    }
    return twin;
  }
}

function assign(names: Map<string, SimulatedNode>, name: string, node: SimulatedNode | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}
