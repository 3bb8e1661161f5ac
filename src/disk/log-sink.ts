// Where log lines go: a file descriptor, usually standard error. A log that cannot be written must never stop what it is about
// (a full disk, a terminal that is gone), so lines that do not fit are counted and left out, and the next line that can be
// written again says how many. Each line is one write, so lines of several processes do not mix.

import { writeSync } from 'node:fs';

export class LogSink {
  readonly #fileDescriptor: number;
  #lost = 0;

  constructor(fileDescriptor: number) {
    this.#fileDescriptor = fileDescriptor;
  }

  write(line: string): void {
    if (
      this.#lost > 0 &&
      this.#tryToWrite(`{"level":40,"msg":"${this.#lost} log lines could not be written"}\n`)
    ) {
      this.#lost = 0;
    }
    if (!this.#tryToWrite(line)) this.#lost++;
  }

  #tryToWrite(line: string): boolean {
    const bytes = Buffer.from(line);
    try {
      return writeSync(this.#fileDescriptor, bytes) === bytes.length;
    } catch {
      return false;
    }
  }
}
