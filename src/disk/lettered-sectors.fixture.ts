// Files whose every sector holds one letter, so that a test can say in a word what a crash has left of them.

import type { Disk } from './disk.ts';

export function blocks(...letters: string[]): Uint8Array {
  return Buffer.concat(letters.map((letter) => Buffer.alloc(512, letter)));
}

/** One letter for each sector, `-` for zeros, `!` for a sector that is none of these. */
export function lettersOf(content: Uint8Array | undefined): string {
  if (content === undefined) return 'absent';
  let letters = '';
  for (let at = 0; at < content.length; at += 512) {
    const sector = content.subarray(at, at + 512);
    const first = sector[0] as number;
    if (sector.some((byte) => byte !== first)) letters += '!';
    else letters += first === 0 ? '-' : String.fromCharCode(first);
  }
  return letters;
}

/** A file with these sectors whose content and name survive everything. */
export function durableFile(disk: Disk, path: string, ...letters: string[]): void {
  disk.replaceFile(path, blocks(...letters));
}
