// What a first start leaves behind: the access store with mode 0600, and the first admin token in a file of its own.

import type { Disk } from '../disk/disk.ts';
import { AccessStore, type AccessStoreOptions } from './access-store.ts';

/** SQLite makes its files readable by everybody; its journals take the mode of a file that is already there. */
export function openAccessStore(disk: Disk, options: AccessStoreOptions): AccessStore {
  if (options.path !== ':memory:' && disk.readFile(options.path) === undefined) {
    disk.open(options.path, 'create').close();
  }
  return new AccessStore(options);
}

/**
 * Makes an admin token where no working one exists, and writes it to `tokenFile`. Returns whether it did.
 *
 * The file is durable before the row: a crash between the two leaves a file with a token that nobody knows, and the next
 * start, which finds no admin, replaces it. The other way round would lock everybody out.
 */
export function ensureFirstAdmin(store: AccessStore, disk: Disk, tokenFile: string): boolean {
  if (store.hasWorkingAdmin()) return false;
  store.create({ name: 'admin', role: 'admin' }, (text) =>
    disk.replaceFile(tokenFile, Buffer.from(`${text}\n`)),
  );
  return true;
}
