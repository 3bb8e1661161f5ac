// An invocation for tests: output is kept as text, time stands still unless somebody sleeps.

import { Writable } from 'node:stream';
import { FileDisk } from '../../disk/file-disk.ts';
import type { Invocation } from '../invocation.ts';
import { Terminal } from '../terminal.ts';

export interface FakeInvocation extends Invocation {
  readonly printed: { out: string; err: string };
  readonly slept: number[];
  interrupt(): void;
}

export function fakeInvocation(over: Partial<Invocation> & { columns?: number } = {}): FakeInvocation {
  const printed = { out: '', err: '' };
  const slept: number[] = [];
  const interruption = new AbortController();
  const keep = (name: 'out' | 'err'): Terminal => {
    const stream = new Writable({
      write(chunk, _encoding, done) {
        printed[name] += String(chunk);
        done();
      },
    });
    const isTerminal = over.columns !== undefined;
    return new Terminal(stream, { isTerminal, colours: false, columns: () => over.columns ?? 100 });
  };
  return {
    environment: { HOME: '/home/somebody' },
    workingDirectory: '/work',
    input: (async function* () {})(),
    out: keep('out'),
    err: keep('err'),
    disk: new FileDisk(),
    now: () => Date.UTC(2026, 10, 20, 12),
    randomBytes: (count) => new Uint8Array(count),
    async sleep(ms) {
      slept.push(ms);
    },
    interrupted: interruption.signal,
    version: '0.0.0',
    program: 'portledger',
    processId: 4711,
    processExists: () => true,
    exitCode: 0,
    ...over,
    printed,
    slept,
    interrupt: () => interruption.abort(),
  };
}
