// A frame's bytes and its epoch's key → what was sealed. Tampered, torn and hostile bytes give a problem in words.

import { createDecipheriv } from 'node:crypto';
import { constants, zstdDecompressSync } from 'node:zlib';
import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { associatedData, deriveFrameKey, frameSalts } from './frame-keys.ts';
import {
  BLOCK_ID_AT,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  parseFrame,
  type SectionName,
  type Sections,
} from './frame-layout.ts';
import { sectionLabel } from './seal-frame.ts';

/** A request is at most 16 MiB and a group of them at most twice that; canonical bytes can be somewhat longer. */
const PLAINTEXT_BYTES_MAX = 192 * 1024 * 1024;
const TAG_BYTES = 16;
const ZERO_NONCE = Buffer.alloc(12);

export interface FrameSecrets {
  readonly origin: string;
  readonly epoch: number;
  readonly epochKey: Uint8Array;
}

export interface OpenedFrame {
  readonly header: FrameHeader;
  readonly records: readonly Buffer[];
  readonly quarantined: readonly Buffer[];
  /** 32 bytes for each record, then for each quarantined item. */
  readonly salts: Buffer;
  readonly requests: Buffer | undefined;
}

/** `dictionary` fetches the dictionary section's plaintext of the frame whose first entry has the given index. */
export function openFrame(
  frame: Buffer,
  secrets: FrameSecrets,
  dictionary: (frame: number) => Buffer | ProblemFound,
): OpenedFrame | ProblemFound {
  const parsed = parseFrame(frame);
  if (isProblem(parsed)) return parsed;
  const { header, sections } = parsed;

  let reference: Buffer | undefined;
  if (header.dictionaryFrame > 0) {
    const found = dictionary(header.dictionaryFrame);
    if (isProblem(found)) return found;
    reference = found;
  }
  const records = openItems(frame, secrets, sections, 'records', header.records, reference);
  if (isProblem(records)) return records;
  const quarantined = openItems(frame, secrets, sections, 'quarantine', header.quarantined);
  if (isProblem(quarantined)) return quarantined;
  let requests: Buffer | undefined;
  if (header.hasRequests) {
    const opened = openSection(frame, secrets, sections, 'requests');
    if (isProblem(opened)) return opened;
    requests = opened;
  }
  const salts = frameSalts(secrets.epochKey, header.blockId, header.records + header.quarantined);
  return { header, records, quarantined, salts, requests };
}

/** The dictionary section alone, for the frames that refer to it. */
export function openDictionary(frame: Buffer, secrets: FrameSecrets): Buffer | ProblemFound {
  const parsed = parseFrame(frame);
  if (isProblem(parsed)) return parsed;
  if (!parsed.header.hasDictionary) return { problem: 'the frame referred to has no dictionary' };
  return openSection(frame, secrets, parsed.sections, 'dictionary');
}

/** The requests section alone: all that recovery wants of most frames. */
export function openRequests(frame: Buffer, secrets: FrameSecrets): Buffer | undefined | ProblemFound {
  const parsed = parseFrame(frame);
  if (isProblem(parsed)) return parsed;
  return parsed.header.hasRequests ? openSection(frame, secrets, parsed.sections, 'requests') : undefined;
}

function openSection(
  frame: Buffer,
  secrets: FrameSecrets,
  sections: Sections,
  name: SectionName,
  dictionary?: Buffer,
): Buffer | ProblemFound {
  const sealed = sections[name];
  if (sealed === undefined || sealed.length < TAG_BYTES) return { problem: `the ${name} section is missing` };
  const label = sectionLabel(name);
  const blockId = frame.subarray(BLOCK_ID_AT, FRAME_HEADER_BYTES);
  const decipher = createDecipheriv(
    'aes-256-gcm',
    deriveFrameKey(secrets.epochKey, blockId, label),
    ZERO_NONCE,
  );
  decipher.setAAD(
    associatedData(label, secrets.origin, secrets.epoch, frame.subarray(0, FRAME_HEADER_BYTES)),
  );
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  let text: Buffer;
  try {
    text = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    decipher.final();
  } catch {
    return { problem: `the ${name} section does not decrypt: its bytes or its key were changed` };
  }
  try {
    return zstdDecompressSync(text, {
      maxOutputLength: PLAINTEXT_BYTES_MAX,
      params: { [constants.ZSTD_d_windowLogMax]: 27 },
      ...(dictionary === undefined ? {} : { dictionary }),
    });
  } catch {
    return { problem: `the ${name} section does not decompress` };
  }
}

function openItems(
  frame: Buffer,
  secrets: FrameSecrets,
  sections: Sections,
  name: SectionName,
  count: number,
  dictionary?: Buffer,
): Buffer[] | ProblemFound {
  if (count === 0) return [];
  const text = openSection(frame, secrets, sections, name, dictionary);
  if (isProblem(text)) return text;
  return splitItems(text, count, name);
}

function splitItems(text: Buffer, count: number, name: SectionName): Buffer[] | ProblemFound {
  if (count > text.length) return { problem: `the ${name} section holds fewer items than the header says` };
  const lengths = new Uint32Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = text[at++];
      if (byte === undefined || shift > 28) return { problem: `the ${name} section’s lengths are malformed` };
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (length > text.length) return { problem: `the ${name} section’s lengths are malformed` };
    lengths[i] = length;
  }
  const items: Buffer[] = new Array(count);
  for (let i = 0; i < count; i++) {
    items[i] = text.subarray(at, at + lengths[i]!);
    at += lengths[i]!;
  }
  if (at !== text.length) return { problem: `the ${name} section’s items do not fill it` };
  return items;
}
