// The simulated disk while its process runs, and how it ends: planned faults, a full disk, background work, repeatability.
// What a crash leaves is in simulated-crash.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Disk, DiskError } from './disk.ts';
import { blocks, durableFile, lettersOf } from './lettered-sectors.fixture.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { type FAULTS, SimulatedCrash } from './simulated-process.ts';

test('refuse does nothing, lie does everything, part does some of a write, full says so; all of them throw', () => {
  const afterFault = (fault: (typeof FAULTS)[number], seed: number): [string, string] => {
    const disk = new SimulatedDisk({ seed });
    durableFile(disk, '/a', 'o', 'o', 'o', 'o');
    disk.failAt(disk.operations + 1, fault);
    let code = 'none';
    try {
      disk.open('/a', 'write').write(blocks('n', 'n', 'n', 'n'), 0);
    } catch (error) {
      assert.ok(error instanceof DiskError);
      code = error.code;
    }
    return [code, lettersOf(disk.readFile('/a'))];
  };
  assert.deepEqual(afterFault('refuse', 1), ['io', 'oooo']);
  assert.deepEqual(afterFault('lie', 1), ['io', 'nnnn']);
  for (const [fault, expected] of [
    ['part', 'io'],
    ['full', 'full'],
  ] as const) {
    const contents = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const [code, content] = afterFault(fault, seed);
      assert.equal(code, expected);
      contents.add(content.replaceAll('!', ''));
    }
    assert.ok(contents.size > 3, `${fault}: ${[...contents]}`);
  }
});

test('every kind of operation can be refused and can lie', () => {
  const programs: Record<string, [run: (disk: Disk) => void, hasHappened: (disk: Disk) => boolean]> = {
    create: [(disk) => disk.open('/new', 'create'), (disk) => disk.list('/').includes('new')],
    truncate: [(disk) => disk.open('/a', 'write').truncate(0), (disk) => disk.readFile('/a')?.length === 0],
    rename: [(disk) => disk.rename('/a', '/b'), (disk) => disk.list('/').includes('b')],
    remove: [(disk) => disk.remove('/a'), (disk) => !disk.list('/').includes('a')],
    'remove directory': [(disk) => disk.removeDirectory('/d'), (disk) => !disk.list('/').includes('d')],
    'make directory': [(disk) => disk.makeDirectory('/e'), (disk) => disk.list('/').includes('e')],
  };
  for (const [name, [run, hasHappened]] of Object.entries(programs)) {
    for (const fault of ['refuse', 'lie', 'full', 'drop', 'part'] as const) {
      const disk = new SimulatedDisk({ seed: 1 });
      durableFile(disk, '/a', 'o');
      disk.makeDirectory('/d');
      disk.failAt(disk.operations + 1, fault);
      assert.throws(() => run(disk), { name: 'DiskError', code: fault === 'full' ? 'full' : 'io' });
      assert.equal(hasHappened(disk), fault === 'lie', `${name}, ${fault}`);
    }
  }
  // A sync shows only in what a crash leaves.
  for (const [fault, left] of [
    ['lie', 'n'],
    ['refuse', 'o'],
  ] as const) {
    const disk = new SimulatedDisk({ seed: 1 });
    durableFile(disk, '/a', 'o');
    const file = disk.open('/a', 'write');
    file.write(blocks('n'), 0);
    disk.failAt(disk.operations + 1, fault);
    assert.throws(() => file.sync(), DiskError);
    assert.equal(lettersOf(disk.crash('nothing').readFile('/a')), left);
  }
});

test('a planned crash ends the process: the operation has happened or not, and every call after it throws', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const disk = new SimulatedDisk({ seed });
    durableFile(disk, '/a', 'o', 'o');
    const file = disk.open('/a', 'write');
    disk.failAt(disk.operations + 1, 'crash');
    assert.throws(() => file.write(blocks('n', 'n'), 0), {
      name: 'SimulatedCrash',
      message: /^Cannot use the simulated disk: the process ended at operation 6, "write file \/a", expected/,
    });
    const calls: (() => unknown)[] = [
      () => file.read(new Uint8Array(1), 0),
      () => file.size(),
      () => file.sync(),
      () => file.truncate(0),
      () => disk.open('/a', 'read'),
      () => disk.readFile('/a'),
      () => disk.writeFile('/a', blocks('x')),
      () => disk.replaceFile('/a', blocks('x')),
      () => disk.rename('/a', '/b'),
      () => disk.remove('/a'),
      () => disk.makeDirectory('/d'),
      () => disk.removeDirectory('/d'),
      () => disk.syncDirectory('/'),
      () => disk.list('/'),
      () => disk.syncInBackground([], () => {}),
    ];
    for (const call of calls) assert.throws(call, SimulatedCrash, String(call));
    // So that a `finally` does not hide the crash.
    file.close();
    seen.add(lettersOf(disk.kill().readFile('/a')).replace(/.*!.*/, 'part'));
  }
  assert.deepEqual([...seen].sort(), ['nn', 'oo', 'part']);
});

test('a clone and its original do not see each other', () => {
  const original = new SimulatedDisk({ seed: 1 });
  durableFile(original, '/a', 'o', 'o');
  const file = original.open('/a', 'write');
  file.write(blocks('1'), 0);
  const clone = original.clone();
  file.write(blocks('2'), 512);
  original.writeFile('/only-original', blocks('x'));
  const other = clone.open('/a', 'write');
  other.write(blocks('3', '3', '3'), 0);
  clone.remove('/a');
  assert.equal(lettersOf(original.readFile('/a')), '12');
  assert.deepEqual(clone.list('/'), []);
  assert.deepEqual(
    [...clone.crash('nothing').files()].map(([, content]) => lettersOf(content)),
    ['oo'],
  );
  assert.deepEqual(lettersOf(original.crash('everything').readFile('/a')), '12');
});

test('the disk fills up in the middle of a write, and overwriting and holes need no room', () => {
  const disk = new SimulatedDisk({ seed: 1, capacityBytes: 2048 });
  const file = disk.open('/a', 'create');
  file.write(blocks('1', '2'), 0);
  file.truncate(4096);
  assert.equal(disk.usedBytes, 1024, 'a hole takes no room');
  assert.throws(() => file.write(blocks('3', '4', '5'), 1024), { name: 'DiskError', code: 'full' });
  assert.equal(lettersOf(disk.readFile('/a')), '1234----', 'what fitted is there');
  file.write(blocks('6', '7'), 512);
  assert.throws(() => disk.writeFile('/b', blocks('b')), { code: 'full' });
  assert.throws(() => disk.replaceFile('/a', blocks('r')), { code: 'full' });
  assert.deepEqual(disk.list('/'), ['a', 'b'], 'replaceFile gives back the room of its temporary file');
  file.truncate(1500);
  assert.equal(disk.usedBytes, 1536);
  disk.replaceFile('/b', blocks('b'));
  disk.remove('/b');
  disk.capacityBytes = 4096;
  file.write(blocks('1', '2', '3', '4', '5'), 1536);
  assert.equal(disk.usedBytes, 4096);
  assert.equal(disk.clone().usedBytes, 4096);
  assert.throws(() => disk.clone().writeFile('/c', blocks('c')), { code: 'full' });
});

test('a planned read fails once', () => {
  const disk = new SimulatedDisk({ seed: 1 });
  disk.writeFile('/a', blocks('o'));
  const file = disk.open('/a', 'read');
  assert.equal(disk.reads, 0);
  disk.failReadAt(1);
  disk.failReadAt(3);
  assert.throws(() => file.read(new Uint8Array(512), 0), { name: 'DiskError', code: 'io' });
  assert.equal(file.read(new Uint8Array(512), 0), 512);
  assert.throws(() => disk.readFile('/a'), { name: 'DiskError', code: 'io' });
  assert.equal(lettersOf(disk.readFile('/a')), 'o');
});

test('syncInBackground takes place within the next twenty operations, and is reported after them', async () => {
  const delays = new Set<number>();
  for (let seed = 0; seed < 100; seed++) {
    const disk = new SimulatedDisk({ seed });
    disk.writeFile('/a', blocks('n'));
    let reports = 0;
    disk.syncInBackground(['/a'], (error) => {
      assert.equal(error, undefined);
      reports++;
    });
    const other = disk.open('/other', 'create');
    let delay = 0;
    while (disk.clone().crash('nothing').readFile('/a') === undefined) {
      other.write(blocks('x'), 0);
      assert.ok(++delay <= 20);
    }
    delays.add(delay);
    assert.equal(reports, 0, 'never in the middle of synchronous code');
    await null;
    assert.equal(reports, 1);
    disk.drainBackground();
    assert.equal(reports, 1);
  }
  assert.ok(delays.size > 10);
});

test('drainBackground completes what is under way, what that begins, and reports failures', () => {
  const disk = new SimulatedDisk({ seed: 1 });
  const reports: string[] = [];
  disk.writeFile('/a', blocks('a'));
  disk.writeFile('/b', blocks('b'));
  disk.syncInBackground(['/a'], (error) => {
    reports.push(`a ${error}`);
    disk.failAt(disk.operations + 1, 'drop');
    disk.syncInBackground(['/b'], (failure) => reports.push(`b ${(failure as DiskError).code}`));
  });
  disk.syncInBackground(['/absent'], (failure) => reports.push(`absent ${(failure as DiskError).code}`));
  disk.drainBackground();
  assert.deepEqual(reports, ['a undefined', 'absent not-found', 'b io']);
});

test('a background sync is operations too: the process can end in one, and is told nothing after its end', async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  disk.writeFile('/a', blocks('a'));
  disk.syncInBackground(['/a'], () => assert.fail('the process is dead'));
  disk.failAt(disk.operations + 1, 'crash');
  assert.throws(() => disk.drainBackground(), SimulatedCrash);
  await null;

  const killed = new SimulatedDisk({ seed: 1 });
  killed.writeFile('/a', blocks('a'));
  killed.syncInBackground(['/a'], () => assert.fail('the process is dead'));
  killed.kill().drainBackground();
  killed.drainBackground();
  await null;
});

test('the same seed and the same calls give the same disk; other seeds give others', () => {
  const run = (seed: number): string => {
    const disk = new SimulatedDisk({ seed });
    const file = disk.open('/a', 'create');
    for (let nth = 0; nth < 20; nth++) file.write(blocks(String.fromCharCode(97 + nth)), nth * 512);
    disk.syncInBackground(['/a'], () => {});
    disk.writeFile('/b', blocks('b', 'b'));
    return [...disk.crash().files()].map(([path, content]) => `${path} ${lettersOf(content)}`).join();
  };
  const all = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    assert.equal(run(seed), run(seed));
    all.add(run(seed));
  }
  assert.ok(all.size > 20, `${all.size} different outcomes`);
});

test('history says what each operation was', () => {
  const disk = new SimulatedDisk({ seed: 1 });
  disk.makeDirectory('/d');
  disk.replaceFile('/d/a', blocks('a'));
  disk.remove('/d/a');
  assert.deepEqual(disk.history, [
    'make directory /d',
    'sync directory /',
    'create file /d/a.tmp',
    'write file /d/a.tmp',
    'sync file /d/a.tmp',
    'rename file /d/a.tmp to /d/a',
    'sync directory /d',
    'remove file /d/a',
  ]);
  assert.equal(disk.operations, disk.history.length);
});
