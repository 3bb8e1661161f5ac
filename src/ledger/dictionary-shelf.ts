// Dictionaries of frames that hold few records, found by the index that frames name them by, a few kept open.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import type { EpochKeys } from '../keys/epoch-keys.ts';
import { openDictionary } from '../sealed/open-frame.ts';
import type { FrameFinder } from './frame-finder.ts';

const KEPT = 16;

export class DictionaryShelf {
  readonly #finder: FrameFinder;
  readonly #origin: string;
  readonly #epochKeys: EpochKeys;
  readonly #kept = new Map<number, Buffer>();

  constructor(finder: FrameFinder, origin: string, epochKeys: EpochKeys) {
    this.#finder = finder;
    this.#origin = origin;
    this.#epochKeys = epochKeys;
  }

  fetch(frame: number, epoch: number): Buffer | ProblemFound {
    const kept = this.#kept.get(frame);
    if (kept !== undefined) return kept;
    const found = this.#finder.readFrameAt(frame);
    if (isProblem(found)) return found;
    const epochKey = this.#epochKeys.get(epoch).key;
    const dictionary = openDictionary(found.frame, { origin: this.#origin, epoch, epochKey });
    if (isProblem(dictionary)) return dictionary;
    if (this.#kept.size >= KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(frame, dictionary);
    return dictionary;
  }
}
