// What any Disk must do, asked of the real one and of its simulated twin alike: a simulation proves something about the
// real disk only as far as the two agree. Also a random program that both run, step by step.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Disk, DiskError, type DiskErrorCode } from './disk.ts';
import { FileDisk } from './file-disk.ts';
import { SimulatedDisk } from './simulated-disk.ts';

interface Fixture extends Disposable {
  readonly disk: Disk;
  /** An existing directory with nothing in it. */
  readonly directory: string;
  /** Lets background work happen where it does not happen by itself. */
  drain(): void;
}

const FIXTURES: Readonly<Record<string, () => Fixture>> = {
  FileDisk: () => {
    const directory = mkdtempSync(join(tmpdir(), 'portledger-disk-'));
    return {
      disk: new FileDisk(),
      directory,
      drain: () => {},
      [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
    };
  },
  SimulatedDisk: () => {
    const disk = new SimulatedDisk({ seed: 1 });
    disk.makeDirectory('/data');
    return { disk, directory: '/data', drain: () => disk.drainBackground(), [Symbol.dispose]: () => {} };
  },
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined): string | undefined =>
  content && new TextDecoder().decode(content);

function throwsDiskError(code: DiskErrorCode, path: string, operation: () => unknown): void {
  assert.throws(operation, (error) => {
    assert.ok(error instanceof DiskError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.path, path);
    assert.match(error.message, /^Cannot [a-z ]+ ".*": .+, expected .+\.$/);
    return true;
  });
}

for (const [name, fixture] of Object.entries(FIXTURES)) {
  describe(name, () => {
    test('open refuses what is not there, and to create what is', () => {
      using f = fixture();
      const path = join(f.directory, 'a');
      throwsDiskError('not-found', path, () => f.disk.open(path, 'read'));
      throwsDiskError('not-found', path, () => f.disk.open(path, 'write'));
      f.disk.open(path, 'create').close();
      throwsDiskError('exists', path, () => f.disk.open(path, 'create'));
      const orphan = join(f.directory, 'absent/a');
      throwsDiskError('not-found', orphan, () => f.disk.open(orphan, 'create'));
    });

    test('a file is read, written, cut and grown at any position', () => {
      using f = fixture();
      const file = f.disk.open(join(f.directory, 'a'), 'create');
      const read = (length: number, position: number): string => {
        const buffer = new Uint8Array(length).fill(0x2e);
        const count = file.read(buffer, position);
        return `${count} ${text(buffer)}`;
      };
      assert.equal(file.size(), 0);
      assert.equal(read(2, 0), '0 ..');
      file.write(bytes('hello'), 0);
      file.write(bytes('world'), 7);
      assert.equal(file.size(), 12);
      assert.equal(read(12, 0), '12 hello\0\0world');
      assert.equal(read(4, 10), '2 ld..', 'only the end of the file makes a read short');
      assert.equal(read(4, 12), '0 ....');
      assert.equal(read(4, 99), '0 ....');
      file.write(bytes('HE'), 0);
      file.write(new Uint8Array(0), 50);
      assert.equal(file.size(), 12, 'writing nothing changes nothing');
      file.truncate(3);
      file.truncate(6);
      assert.equal(read(9, 0), '6 HEl\0\0\0...', 'what was cut off does not come back');
      file.sync();
      file.close();
      assert.equal(text(f.disk.readFile(file.path)), 'HEl\0\0\0');
    });

    test('two open files see the same bytes', () => {
      using f = fixture();
      const path = join(f.directory, 'a');
      const writer = f.disk.open(path, 'create');
      const reader = f.disk.open(path, 'read');
      writer.write(bytes('seen'), 0);
      const buffer = new Uint8Array(4);
      assert.equal(reader.read(buffer, 0), 4);
      assert.equal(text(buffer), 'seen');
      writer.close();
      reader.close();
    });

    test('a removed or replaced file stays readable for those who have it open', () => {
      using f = fixture();
      const path = join(f.directory, 'a');
      f.disk.writeFile(path, bytes('one'));
      const open = f.disk.open(path, 'read');
      f.disk.replaceFile(path, bytes('two'));
      const buffer = new Uint8Array(3);
      open.read(buffer, 0);
      assert.equal(text(buffer), 'one');
      assert.equal(text(f.disk.readFile(path)), 'two');
      f.disk.remove(path);
      assert.equal(open.read(buffer, 0), 3);
      assert.equal(f.disk.readFile(path), undefined);
      open.close();
    });

    test('a closed file refuses everything, and closing it again is nothing', () => {
      using f = fixture();
      const file = f.disk.open(join(f.directory, 'a'), 'create');
      file.close();
      file.close();
      throwsDiskError('io', file.path, () => file.write(bytes('x'), 0));
      throwsDiskError('io', file.path, () => file.read(new Uint8Array(1), 0));
      throwsDiskError('io', file.path, () => file.size());
      throwsDiskError('io', file.path, () => file.truncate(0));
      throwsDiskError('io', file.path, () => file.sync());
    });

    test('a file opened for reading refuses to be written', () => {
      using f = fixture();
      const path = join(f.directory, 'a');
      f.disk.writeFile(path, bytes('x'));
      const file = f.disk.open(path, 'read');
      throwsDiskError('io', path, () => file.write(bytes('y'), 0));
      file.close();
      assert.equal(text(f.disk.readFile(path)), 'x');
    });

    test('writeFile and replaceFile put the whole content in place of the old', () => {
      using f = fixture();
      const path = join(f.directory, 'a');
      for (const put of ['writeFile', 'replaceFile'] as const) {
        for (const content of ['a longer content', 'short', '']) {
          f.disk[put](path, bytes(content));
          assert.equal(text(f.disk.readFile(path)), content, put);
        }
      }
      assert.deepEqual(f.disk.list(f.directory), ['a'], 'no temporary file is left');
    });

    test('replaceFile is not confused by what a crash left of an earlier attempt', () => {
      using f = fixture();
      const path = join(f.directory, 'a');
      f.disk.writeFile(`${path}.tmp`, bytes('left over, and longer than the new content'));
      f.disk.replaceFile(path, bytes('new'));
      assert.equal(text(f.disk.readFile(path)), 'new');
      assert.deepEqual(f.disk.list(f.directory), ['a']);
    });

    test('a replaceFile that cannot succeed leaves no temporary file', () => {
      using f = fixture();
      const path = join(f.directory, 'a');
      f.disk.makeDirectory(path);
      // The path is not compared: the twin names the step that failed, the real disk the file to be replaced.
      throwsDiskErrorOfCode('not-a-file', () => f.disk.replaceFile(path, bytes('new')));
      assert.deepEqual(f.disk.list(f.directory), ['a']);
      throwsDiskErrorOfCode('not-found', () =>
        f.disk.replaceFile(join(f.directory, 'absent/a'), bytes('new')),
      );
      throwsDiskErrorOfCode('not-found', () => f.disk.writeFile(join(f.directory, 'absent/a'), bytes('new')));
    });

    test('rename moves, replaces and crosses directories', () => {
      using f = fixture();
      const [a, b, sub] = ['a', 'b', 'sub'].map((entry) => join(f.directory, entry)) as [
        string,
        string,
        string,
      ];
      f.disk.writeFile(a, bytes('A'));
      f.disk.writeFile(b, bytes('B'));
      f.disk.rename(a, b);
      assert.equal(text(f.disk.readFile(b)), 'A');
      assert.equal(f.disk.readFile(a), undefined);
      f.disk.rename(b, b);
      assert.equal(text(f.disk.readFile(b)), 'A');
      f.disk.makeDirectory(sub);
      f.disk.rename(b, join(sub, 'c'));
      assert.deepEqual(f.disk.list(f.directory), ['sub']);
      f.disk.rename(sub, join(f.directory, 'moved'));
      assert.equal(text(f.disk.readFile(join(f.directory, 'moved/c'))), 'A');
      throwsDiskError('not-found', a, () => f.disk.rename(a, b));
    });

    test('remove removes files, and absent ones are fine', () => {
      using f = fixture();
      const path = join(f.directory, 'a');
      f.disk.remove(path);
      f.disk.writeFile(path, bytes('x'));
      f.disk.remove(path);
      assert.deepEqual(f.disk.list(f.directory), []);
      f.disk.remove(join(f.directory, 'absent/a'));
    });

    test('makeDirectory makes parents, again and again, but not through a file', () => {
      using f = fixture();
      const path = join(f.directory, 'x/y/z');
      f.disk.makeDirectory(path);
      f.disk.makeDirectory(path);
      assert.deepEqual(f.disk.list(join(f.directory, 'x/y')), ['z']);
      f.disk.removeDirectory(path);
      f.disk.makeDirectory(path);
      assert.deepEqual(f.disk.list(join(f.directory, 'x/y')), ['z'], 'made again after it was removed');
      f.disk.rename(join(f.directory, 'x'), join(f.directory, 'w'));
      f.disk.makeDirectory(path);
      assert.deepEqual(
        f.disk.list(join(f.directory, 'x/y')),
        ['z'],
        'made again after its parent was renamed',
      );
      const file = join(f.directory, 'file');
      f.disk.writeFile(file, bytes('x'));
      throwsDiskErrorOfCode('not-a-file', () => f.disk.makeDirectory(file));
      throwsDiskErrorOfCode('not-a-file', () => f.disk.makeDirectory(join(file, 'below')));
    });

    test('removeDirectory removes an empty directory and leaves everything else alone', () => {
      using f = fixture();
      const path = join(f.directory, 'd');
      f.disk.removeDirectory(path);
      f.disk.makeDirectory(path);
      f.disk.writeFile(join(path, 'a'), bytes('x'));
      f.disk.removeDirectory(path);
      assert.deepEqual(f.disk.list(path), ['a']);
      throwsDiskError('not-a-file', join(path, 'a'), () => f.disk.removeDirectory(join(path, 'a')));
      f.disk.remove(join(path, 'a'));
      f.disk.removeDirectory(path);
      assert.deepEqual(f.disk.list(f.directory), []);
    });

    test('list sorts by code unit, on every machine alike, and an absent directory is empty', () => {
      using f = fixture();
      for (const entry of ['b', 'a', 'B', '10', '9', 'ä'])
        f.disk.writeFile(join(f.directory, entry), bytes(''));
      assert.deepEqual(f.disk.list(f.directory), ['10', '9', 'B', 'a', 'b', 'ä']);
      assert.deepEqual(f.disk.list(join(f.directory, 'absent')), []);
      throwsDiskError('not-a-file', join(f.directory, 'a'), () => f.disk.list(join(f.directory, 'a')));
    });

    test('files and directories are not mistaken for each other', () => {
      using f = fixture();
      const { disk, directory } = f;
      const below = join(directory, 'file/below');
      disk.writeFile(join(directory, 'file'), bytes('x'));
      for (const mode of ['read', 'write'] as const) {
        throwsDiskError('not-a-file', directory, () => disk.open(directory, mode));
        throwsDiskError('not-a-file', below, () => disk.open(below, mode));
      }
      throwsDiskError('not-a-file', directory, () => disk.readFile(directory));
      throwsDiskError('not-a-file', below, () => disk.readFile(below));
      throwsDiskError('not-a-file', directory, () => disk.writeFile(directory, bytes('x')));
      throwsDiskError('not-a-file', directory, () => disk.remove(directory));
      throwsDiskErrorOfCode('not-a-file', () => disk.syncDirectory(join(directory, 'file')));
      throwsDiskErrorOfCode('not-found', () => disk.syncDirectory(join(directory, 'absent')));
    });

    test('syncInBackground reports once, after the synchronous code that asked for it', async () => {
      using f = fixture();
      const paths = Array.from({ length: 10 }, (_, nth) => join(f.directory, `d${nth % 2}/f${nth}`));
      for (const path of ['d0', 'd1']) f.disk.makeDirectory(join(f.directory, path));
      for (const path of paths) f.disk.writeFile(path, bytes(path));
      for (const asked of [paths, [...paths, ...paths], []]) {
        let isReported = false;
        const reported = new Promise((resolve) => {
          f.disk.syncInBackground(asked, (error) => {
            assert.equal(isReported, false, 'reported once');
            isReported = true;
            resolve(error);
          });
        });
        assert.equal(isReported, false);
        f.drain();
        assert.equal(await reported, undefined);
      }
    });

    test('syncInBackground reports the first failure once the others are done', async () => {
      using f = fixture();
      const path = join(f.directory, 'absent');
      const present = join(f.directory, 'present');
      f.disk.writeFile(present, bytes('x'));
      const reported = new Promise((resolve) => f.disk.syncInBackground([present, path], resolve));
      f.drain();
      const error = await reported;
      assert.ok(error instanceof DiskError, String(error));
      assert.equal(error.code, 'not-found');
      assert.equal(error.path, path);
    });
  });
}

function throwsDiskErrorOfCode(code: DiskErrorCode, operation: () => unknown): void {
  assert.throws(operation, (error) => error instanceof DiskError && error.code === code);
}

type Step = (disk: Disk, directory: string) => unknown;

const names = fc.constantFrom('a', 'b', 'd', 'd/a', 'd/e', 'd/e/b');
const contents = fc.uint8Array({ maxLength: 1500 });
const positions = fc.integer({ min: 0, max: 2000 });

/** Runs a step on the file of that name, where there is one. */
const withFile =
  (name: string, use: (file: ReturnType<Disk['open']>) => void): Step =>
  (disk, directory) => {
    const file = disk.open(join(directory, name), 'write');
    try {
      use(file);
      return file.size();
    } finally {
      file.close();
    }
  };

const steps: fc.Arbitrary<Step> = fc.oneof(
  names.map(
    (name): Step =>
      (disk, directory) =>
        disk.open(join(directory, name), 'create').close(),
  ),
  fc.tuple(names, contents).map(
    ([name, content]): Step =>
      (disk, directory) =>
        disk.writeFile(join(directory, name), content),
  ),
  fc.tuple(names, contents).map(
    ([name, content]): Step =>
      (disk, directory) =>
        disk.replaceFile(join(directory, name), content),
  ),
  fc
    .tuple(names, contents, positions)
    .map(([name, content, at]) => withFile(name, (file) => file.write(content, at))),
  fc.tuple(names, positions).map(([name, size]) => withFile(name, (file) => file.truncate(size))),
  names.map((name) => withFile(name, (file) => file.sync())),
  names.map(
    (name): Step =>
      (disk, directory) =>
        disk.remove(join(directory, name)),
  ),
  names.map(
    (name): Step =>
      (disk, directory) =>
        disk.makeDirectory(join(directory, name)),
  ),
  names.map(
    (name): Step =>
      (disk, directory) =>
        disk.removeDirectory(join(directory, name)),
  ),
  names.map(
    (name): Step =>
      (disk, directory) =>
        disk.syncDirectory(join(directory, name)),
  ),
  names.map(
    (name): Step =>
      (disk, directory) =>
        disk.list(join(directory, name)),
  ),
  names.map(
    (name): Step =>
      (disk, directory) =>
        disk.readFile(join(directory, name)),
  ),
);

test('FileDisk and SimulatedDisk answer any program alike', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 30 }), (program) => {
      const fixtures = Object.values(FIXTURES).map((fixture) => fixture());
      try {
        for (const step of program) {
          const [real, simulated] = fixtures.map(({ disk, directory }) => answerOf(step, disk, directory));
          assert.deepEqual(simulated, real);
        }
        const [real, simulated] = fixtures.map(({ disk, directory }) => contentsOf(disk, directory));
        assert.deepEqual(simulated, real);
      } finally {
        for (const fixture of fixtures) fixture[Symbol.dispose]();
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 100) },
  );
});

function answerOf(step: Step, disk: Disk, directory: string): unknown {
  try {
    const answer = step(disk, directory);
    return answer instanceof Uint8Array ? Buffer.from(answer).toString('hex') : answer;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return error.code;
  }
}

function contentsOf(disk: Disk, directory: string): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {};
  for (const entry of disk.list(directory)) {
    const path = join(directory, entry);
    try {
      found[entry] = Buffer.from(disk.readFile(path) ?? []).toString('hex');
    } catch (error) {
      assert.ok(error instanceof DiskError && error.code === 'not-a-file', String(error));
      for (const [below, content] of Object.entries(contentsOf(disk, path)))
        found[`${entry}/${below}`] = content;
    }
  }
  return found;
}
