// Standard output or standard error. Colours, progress and cutting to the window's width happen on a terminal only.
//
// A reader that goes away (`portledger search … | head`) is not an error: later writes are dropped, and `closed` aborts so
// that commands which stream can stop.
//
// Text that senders chose passes `printable` before it reaches a terminal: an access log is a place where attackers get
// to write, and escape sequences can repaint the screen of whoever investigates them.

import type { Writable } from 'node:stream';

export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold';

const COLOUR_CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  dim: [2, 22],
  bold: [1, 22],
};

export interface TerminalOptions {
  readonly isTerminal: boolean;
  readonly colours: boolean;
  columns(): number;
}

export class Terminal {
  readonly isTerminal: boolean;
  readonly #stream: Writable;
  readonly #options: TerminalOptions;
  readonly #closed = new AbortController();
  #progressShown = false;

  constructor(stream: Writable, options: TerminalOptions) {
    this.#stream = stream;
    this.#options = options;
    this.isTerminal = options.isTerminal;
    stream.on('error', () => this.#closed.abort());
  }

  /** Aborted once nobody reads any more. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get columns(): number {
    return this.#options.columns();
  }

  /** Resolves when the stream can take more, so that a slow reader slows the command down instead of filling memory. */
  async write(text: string | Uint8Array): Promise<void> {
    this.clearProgress();
    if (this.closed.aborted) return;
    if (this.#stream.write(text)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#stream.off('drain', done);
        this.closed.removeEventListener('abort', done);
        resolve();
      };
      this.#stream.once('drain', done);
      this.closed.addEventListener('abort', done, { once: true });
    });
  }

  async line(text = ''): Promise<void> {
    await this.write(`${text}\n`);
  }

  colour(colour: Colour, text: string): string {
    if (!this.#options.colours) return text;
    const [on, off] = COLOUR_CODES[colour];
    return `\x1b[${on}m${text}\x1b[${off}m`;
  }

  /** One line that the next output replaces. Nothing where this is not a terminal. */
  progress(text: string): void {
    if (!this.isTerminal || this.closed.aborted) return;
    this.#progressShown = true;
    this.#stream.write(`\r\x1b[K${cutToWidth(text, this.columns - 1)}`);
  }

  clearProgress(): void {
    if (!this.#progressShown) return;
    this.#progressShown = false;
    this.#stream.write('\r\x1b[K');
  }
}

/** Whether to use colours, by the conventions of NO_COLOR and FORCE_COLOR. */
export function wantsColours(
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (environment.NO_COLOR) return false;
  const forced = environment.FORCE_COLOR;
  if (forced !== undefined) return forced !== '0';
  return isTerminal && environment.TERM !== 'dumb';
}

/** Control and bidirectional characters made visible, so that text from senders cannot act on a terminal. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Columns that the text takes on a terminal: wide East Asian characters and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text, or as much of it as fits in `width` columns with `…` at the end. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let used = 0;
  let kept = '';
  for (const character of text) {
    used += characterWidth(character);
    if (used > width - 1) break;
    kept += character;
  }
  return width > 0 ? `${kept}…` : '';
}

function characterWidth(character: string): number {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (/^\p{Mark}$/u.test(character) || code === 0x200d) return 0;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}
