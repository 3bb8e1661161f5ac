// The published half of one log behind an address, as the verifier reads it: checkpoint, key, tiles, entries. There are no
// directories to list over HTTP; the verifier asks for the names that the tree must have.

import { type DirectoryEntry, type Source, SourceError } from '../verify/source.ts';
import { ConnectionLost, type ServerClient, ServerRefusal } from './server-client.ts';

const TOP: readonly DirectoryEntry[] = [
  { name: 'checkpoint', kind: 'file' },
  { name: 'key.pub', kind: 'file' },
  { name: 'tile', kind: 'directory' },
];
/** A server that is busy or restarting is asked again so often. */
const ATTEMPTS = 5;
const ATTEMPT_WAIT_MS = 1000;

export class PublishedLog implements Source {
  readonly #client: ServerClient;
  readonly #sleep: (ms: number) => Promise<void>;
  /** A tile's size is asked for just before its bytes. Never the checkpoint, which changes. */
  #last: { readonly path: string; readonly bytes: Buffer | undefined } | undefined;

  constructor(client: ServerClient, sleep: (ms: number) => Promise<void>) {
    this.#client = client;
    this.#sleep = sleep;
  }

  async list(directory: string): Promise<readonly DirectoryEntry[] | undefined> {
    return directory === '' ? TOP : undefined;
  }

  async size(path: string): Promise<number | undefined> {
    return (await this.#fetch(path))?.length;
  }

  async read(path: string, offset: number, length: number): Promise<Buffer> {
    const bytes = await this.#fetch(path);
    return bytes === undefined ? Buffer.alloc(0) : bytes.subarray(offset, offset + length);
  }

  async readAll(path: string, bytesMax: number): Promise<Buffer | undefined> {
    const bytes = await this.#fetch(path);
    if (bytes === undefined || bytes.length <= bytesMax) return bytes;
    throw new SourceError(path, `the file has ${bytes.length} bytes, expected at most ${bytesMax}`);
  }

  async #fetch(path: string): Promise<Buffer | undefined> {
    if (this.#last?.path === path) return this.#last.bytes;
    const bytes = await this.#ask(path);
    if (path.startsWith('tile/')) this.#last = { path, bytes };
    return bytes;
  }

  async #ask(path: string): Promise<Buffer | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return Buffer.from(await this.#client.bytes({ path }));
      } catch (error) {
        if (error instanceof ServerRefusal && error.status === 404) return undefined;
        const mayComeBack =
          error instanceof ConnectionLost || (error instanceof ServerRefusal && error.status >= 429);
        if (!mayComeBack || attempt === ATTEMPTS) throw error;
        await this.#sleep(ATTEMPT_WAIT_MS);
      }
    }
  }
}
