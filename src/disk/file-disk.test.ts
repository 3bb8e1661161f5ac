// What only the real disk does: errno, modes, short writes, and which flush is asked of the kernel in which order.
// `node:fs` is replaced call by call where the kernel cannot be made to do what has to be seen.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { DiskError } from './disk.ts';
import { diskError, diskErrorFrom } from './disk-error.ts';
import { FileDisk } from './file-disk.ts';

function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = fs.mkdtempSync(join(tmpdir(), 'portledger-disk-'));
  return { path, [Symbol.dispose]: () => fs.rmSync(path, { recursive: true }) };
}

type SystemCall = (...values: unknown[]) => unknown;

/** Stands in for functions of `node:fs` until disposed; each gets the original to call. */
function standIn(calls: Readonly<Record<string, (original: SystemCall) => SystemCall>>): Disposable {
  const originals = fs as unknown as Record<string, SystemCall>;
  for (const [name, replacement] of Object.entries(calls)) {
    mock.method(originals, name, replacement(originals[name] as SystemCall));
  }
  syncBuiltinESMExports();
  return {
    [Symbol.dispose]: () => {
      mock.restoreAll();
      syncBuiltinESMExports();
    },
  };
}

function systemError(errno: string): Error {
  return Object.assign(new Error(errno), { errno: -1, code: errno, syscall: 'test' });
}

const CHANGING_CALLS = [
  'openSync',
  'writeSync',
  'fsyncSync',
  'fdatasyncSync',
  'renameSync',
  'rmSync',
  'mkdirSync',
];

/** Writes down what reaches the kernel, with file names instead of descriptors. */
function recordCalls(trace: string[], failing?: { call: string; errno: string }): Disposable {
  const names = new Map<unknown, string>();
  const nameOf = (value: unknown): string =>
    typeof value === 'string' ? (value.split('/').at(-1) as string) : (names.get(value) ?? String(value));
  return standIn(
    Object.fromEntries(
      CHANGING_CALLS.map((call) => [
        call,
        (original: SystemCall): SystemCall =>
          (...values) => {
            const target =
              call === 'renameSync' ? values.slice(0, 2).map(nameOf).join(' ') : nameOf(values[0]);
            trace.push(`${call.replace('Sync', '')} ${target}`);
            if (call === failing?.call) throw systemError(failing.errno);
            const result = original(...values);
            if (call === 'openSync') names.set(result, target);
            return result;
          },
      ]),
    ),
  );
}

test('FileDisk makes files and directories that nobody else can read, whatever the umask allows', () => {
  using directory = temporaryDirectory();
  const disk = new FileDisk();
  const path = (name: string): string => join(directory.path, name);
  disk.makeDirectory(path('d/e'));
  disk.open(path('created'), 'create').close();
  disk.writeFile(path('written'), new Uint8Array(1));
  disk.replaceFile(path('replaced'), new Uint8Array(1));
  for (const name of ['created', 'written', 'replaced'])
    assert.equal(fs.statSync(path(name)).mode & 0o777, 0o600, name);
  for (const name of ['d', 'd/e']) assert.equal(fs.statSync(path(name)).mode & 0o777, 0o700, name);
});

test('FileDisk flushes the inode of a new or cut file, and data alone after that', () => {
  using directory = temporaryDirectory();
  const trace: string[] = [];
  using _calls = recordCalls(trace);
  const file = new FileDisk().open(join(directory.path, 'a'), 'create');
  file.write(new Uint8Array(10), 0);
  file.sync();
  file.write(new Uint8Array(10), 10);
  file.sync();
  file.truncate(5);
  file.sync();
  file.sync();
  file.close();
  const again = new FileDisk().open(file.path, 'write');
  again.write(new Uint8Array(1), 0);
  again.sync();
  again.close();
  assert.deepEqual(
    trace.filter((call) => call.includes('sync')),
    ['fsync a', 'fdatasync a', 'fsync a', 'fdatasync a', 'fdatasync a'],
  );
});

test('FileDisk flushes the inode again where the first flush of a new file has failed', () => {
  using directory = temporaryDirectory();
  const file = new FileDisk().open(join(directory.path, 'a'), 'create');
  {
    using _failing = recordCalls([], { call: 'fsyncSync', errno: 'EIO' });
    assert.throws(() => file.sync(), { code: 'io' });
  }
  const trace: string[] = [];
  using _calls = recordCalls(trace);
  file.sync();
  assert.equal(trace.length, 1);
  assert.match(trace[0] as string, /^fsync /);
  file.close();
});

test('replaceFile: content durable, then the name, then the directory through a descriptor held all along', () => {
  using directory = temporaryDirectory();
  const trace: string[] = [];
  using _calls = recordCalls(trace);
  new FileDisk().replaceFile(join(directory.path, 'a'), new Uint8Array(10));
  const name = directory.path.split('/').at(-1);
  assert.deepEqual(trace, [
    `open ${name}`,
    'open a.tmp',
    'write a.tmp',
    'fsync a.tmp',
    'rename a.tmp a',
    `fsync ${name}`,
  ]);
});

test('replaceFile leaves the old content and no temporary file where any step before the rename fails', () => {
  for (const call of ['writeSync', 'fsyncSync', 'renameSync']) {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'a');
    fs.writeFileSync(path, 'old');
    {
      using _failing = recordCalls([], { call, errno: 'ENOSPC' });
      assert.throws(() => new FileDisk().replaceFile(path, new Uint8Array(10)), { code: 'full', path });
    }
    assert.deepEqual(fs.readdirSync(directory.path), ['a'], call);
    assert.equal(fs.readFileSync(path, 'utf8'), 'old', call);
  }
});

test('makeDirectory makes each name durable before the next level, and flushes once what it found', () => {
  using directory = temporaryDirectory();
  const name = directory.path.split('/').at(-1);
  const parent = tmpdir().split('/').at(-1);
  const trace: string[] = [];
  using _calls = recordCalls(trace);
  const disk = new FileDisk();
  const isFlushOrMake = (call: string): boolean => /^(fsync|mkdir) /.test(call);
  disk.makeDirectory(join(directory.path, 'x/y'));
  assert.deepEqual(trace.filter(isFlushOrMake), [
    `fsync ${parent}`,
    'mkdir x',
    `fsync ${name}`,
    'mkdir y',
    'fsync x',
  ]);
  trace.length = 0;
  disk.makeDirectory(join(directory.path, 'x/y'));
  assert.deepEqual(trace, [], 'nothing is left to be done');
  disk.makeDirectory(join(directory.path, 'x/z'));
  assert.deepEqual(trace.filter(isFlushOrMake), ['mkdir z', 'fsync x']);
  trace.length = 0;
  new FileDisk().makeDirectory(join(directory.path, 'x/y'));
  assert.deepEqual(
    trace.filter(isFlushOrMake),
    ['fsync x'],
    'whoever made it may have been killed before its flush',
  );
});

test('makeDirectory accepts an existing directory whose parent it may not open', () => {
  using directory = temporaryDirectory();
  using _failing = recordCalls([], { call: 'openSync', errno: 'EACCES' });
  new FileDisk().makeDirectory(directory.path);
  assert.throws(() => new FileDisk().makeDirectory(join(directory.path, 'made')), { code: 'denied' });
});

test('write goes on after a short write, and read after a short read', () => {
  using directory = temporaryDirectory();
  const atMost =
    (most: number) =>
    (original: SystemCall): SystemCall =>
    (fd, buffer, offset, length, position) =>
      original(fd, buffer, offset, Math.min(length as number, most), position);
  using _short = standIn({ writeSync: atMost(7), readSync: atMost(5) });
  const disk = new FileDisk();
  const path = join(directory.path, 'a');
  const content = Uint8Array.from({ length: 100 }, (_, at) => at);
  disk.writeFile(path, content);
  assert.deepEqual(disk.readFile(path), content);
  const file = disk.open(path, 'write');
  file.write(content, 50);
  const buffer = new Uint8Array(200);
  assert.equal(file.read(buffer, 50), 100);
  assert.deepEqual(buffer.subarray(0, 100), content);
  file.close();
});

test('a write that fails in the middle says so, and nothing is retried', () => {
  using directory = temporaryDirectory();
  const trace: string[] = [];
  let calls = 0;
  using _full = standIn({
    writeSync: (original) => (fd, buffer, offset, length, position) => {
      trace.push(`write ${length} at ${position}`);
      if (++calls === 2) throw systemError('ENOSPC');
      return original(fd, buffer, offset, 4, position);
    },
  });
  const file = new FileDisk().open(join(directory.path, 'a'), 'create');
  assert.throws(() => file.write(new Uint8Array(10), 0), {
    code: 'full',
    message: `Cannot write file "${file.path}": the disk is full, expected room. Free space on it.`,
  });
  assert.deepEqual(trace, ['write 10 at 0', 'write 6 at 4']);
  assert.equal(file.size(), 4);
  file.close();
});

test('a full device is "full"', { skip: !fs.existsSync('/dev/full') && 'there is no /dev/full here' }, () => {
  const file = new FileDisk().open('/dev/full', 'write');
  assert.throws(() => file.write(new Uint8Array(1), 0), { name: 'DiskError', code: 'full' });
  file.close();
});

test('diskErrorFrom reads errno, keeps the cause and lets other errors pass', () => {
  const codes = {
    ENOENT: 'not-found',
    EEXIST: 'exists',
    ENOSPC: 'full',
    EDQUOT: 'full',
    EFBIG: 'full',
    EISDIR: 'not-a-file',
    ENOTDIR: 'not-a-file',
    EACCES: 'denied',
    EPERM: 'denied',
    EROFS: 'denied',
    EIO: 'io',
    EMFILE: 'io',
    ESTALE: 'io',
  };
  for (const [errno, code] of Object.entries(codes)) {
    const cause = systemError(errno);
    const error = diskErrorFrom(cause, 'sync file', '/a');
    assert.ok(error instanceof DiskError);
    assert.equal(error.code, code, errno);
    assert.equal(error.cause, cause);
    assert.match(error.message, /^Cannot sync file "\/a": .+, expected .+\. .+\.$/, errno);
  }
  const ours = new TypeError('ours');
  assert.equal(diskErrorFrom(ours, 'sync file', '/a'), ours);
  const already = diskError('EIO', 'sync file', '/a');
  assert.equal(diskErrorFrom(already, 'write file', '/b'), already);
});

test('a file name with quotes and line ends cannot forge a message', () => {
  assert.equal(
    diskError('ENOENT', 'open file', '/a"\n').message,
    'Cannot open file "/a\\"\\n": there is no such file or directory, expected one. Check the path.',
  );
});

test('syncInBackground flushes three files at a time, then each directory once', async () => {
  using directory = temporaryDirectory();
  const disk = new FileDisk();
  const paths = Array.from({ length: 12 }, (_, nth) => join(directory.path, `d${nth % 2}`, `f${nth}`));
  for (const name of ['d0', 'd1']) disk.makeDirectory(join(directory.path, name));
  for (const path of paths) disk.writeFile(path, new Uint8Array(1));
  const names = new Map<unknown, string>();
  const trace: string[] = [];
  let running = 0;
  let runningMost = 0;
  const reporting =
    (before: (...values: unknown[]) => void, after: (result: unknown, target: unknown) => void) =>
    (original: SystemCall): SystemCall =>
    (...values) => {
      const done = values.pop() as (error: unknown, result: unknown) => void;
      before(...values);
      return original(...values, (error: unknown, result: unknown) => {
        after(result, values[0]);
        done(error, result);
      });
    };
  using _calls = standIn({
    open: reporting(
      () => {
        runningMost = Math.max(runningMost, ++running);
      },
      (fd, path) => names.set(fd, (path as string).split('/').at(-1) as string),
    ),
    fsync: reporting(
      (fd) => trace.push(names.get(fd) as string),
      () => {},
    ),
    close: reporting(
      () => {},
      () => {
        running--;
      },
    ),
  });
  await new Promise<void>((resolve, reject) => {
    disk.syncInBackground(paths, (error) => (error === undefined ? resolve() : reject(error)));
  });
  assert.equal(runningMost, 3);
  assert.deepEqual(trace.slice(0, 12).sort(), paths.map((path) => path.split('/').at(-1)).sort());
  assert.deepEqual(trace.slice(12).sort(), ['d0', 'd1']);
});

test('syncInBackground begins nothing more after a failure and closes what it has opened', async () => {
  using directory = temporaryDirectory();
  const disk = new FileDisk();
  const paths = Array.from({ length: 12 }, (_, nth) => join(directory.path, `f${nth}`));
  for (const path of paths) disk.writeFile(path, new Uint8Array(1));
  let syncs = 0;
  let open = 0;
  using _calls = standIn({
    open:
      (original) =>
      (...values) => {
        open++;
        return original(...values);
      },
    close:
      (original) =>
      (...values) => {
        open--;
        return original(...values);
      },
    fsync: () => (_fd, done) => {
      syncs++;
      setImmediate(done as (error: Error) => void, systemError('EIO'));
    },
  });
  const error = await new Promise((resolve) => disk.syncInBackground(paths, resolve));
  assert.ok(error instanceof DiskError);
  assert.equal(error.code, 'io');
  assert.equal(syncs, 3);
  assert.equal(open, 0);
});
