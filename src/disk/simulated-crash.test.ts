// What a crash of the simulated disk leaves. It must be able to do every bad thing that a real disk may do (otherwise tests
// pass that should not), and nothing worse (otherwise code is bent to survive what cannot happen).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Disk, DiskError } from './disk.ts';
import { blocks, durableFile, lettersOf } from './lettered-sectors.fixture.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { FAULTS, SimulatedCrash } from './simulated-process.ts';

const SEEDS = 300;

/** What becomes of the same program over many seeds: each outcome and how often. */
function outcomes(
  prepare: (disk: SimulatedDisk) => void,
  look: (found: SimulatedDisk) => string,
): Map<string, number> {
  const seen = new Map<string, number>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const disk = new SimulatedDisk({ seed });
    prepare(disk);
    const outcome = look(disk.crash());
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
  return seen;
}

const namesFound = (disk: Disk): string => disk.list('/').join(' ');

test('crash keeps each sector that was overwritten and not synced, or not, in every combination', () => {
  const seen = outcomes(
    (disk) => {
      durableFile(disk, '/a', 'o', 'o', 'o', 'o');
      disk.open('/a', 'write').write(blocks('n', 'n'), 512);
    },
    (disk) => lettersOf(disk.readFile('/a')),
  );
  assert.deepEqual([...seen.keys()].sort(), ['onno', 'onoo', 'oono', 'oooo']);
});

test('crash tears a write inside a sector at nothing smaller than the sector', () => {
  const seen = outcomes(
    (disk) => {
      disk.replaceFile('/a', Buffer.alloc(1024, 'o'));
      disk.open('/a', 'write').write(Buffer.alloc(600, 'n'), 300);
    },
    (disk) => {
      const content = Buffer.from(disk.readFile('/a') as Uint8Array).toString();
      return `${content.indexOf('n')}..${content.lastIndexOf('n')}`;
    },
  );
  assert.deepEqual([...seen.keys()].sort(), ['-1..-1', '300..511', '300..899', '512..899']);
});

test('crash may leave any of the contents that a sector had since the last sync', () => {
  const seen = outcomes(
    (disk) => {
      durableFile(disk, '/a', '0');
      const file = disk.open('/a', 'write');
      for (const letter of ['1', '2', '3']) file.write(blocks(letter), 0);
    },
    (disk) => lettersOf(disk.readFile('/a')),
  );
  assert.deepEqual([...seen.keys()].sort(), ['0', '1', '2', '3']);
});

test('crash leaves an append shorter, or as long with holes, and never longer', () => {
  const seen = outcomes(
    (disk) => {
      durableFile(disk, '/a', 'o');
      const file = disk.open('/a', 'write');
      file.write(blocks('n'), 512);
      file.write(blocks('m'), 1024);
    },
    (disk) => {
      const content = disk.readFile('/a') as Uint8Array;
      assert.ok(content.length >= 512 && content.length <= 1536, `length ${content.length}`);
      assert.equal(lettersOf(content.subarray(0, 512)), 'o');
      return content.length % 512 === 0 ? lettersOf(content) : 'between';
    },
  );
  for (const expected of ['o', 'on', 'o-', 'onm', 'o-m', 'on-', 'o--', 'between']) {
    assert.ok(seen.has(expected), `${expected} in ${[...seen.keys()]}`);
  }
});

test('crash may undo a truncation, and leaves zeros or what was there', () => {
  const seen = outcomes(
    (disk) => {
      durableFile(disk, '/a', 'o', 'o');
      disk.open('/a', 'write').truncate(512);
    },
    (disk) => lettersOf(disk.readFile('/a')),
  );
  assert.deepEqual([...seen.keys()].sort(), ['o', 'o-', 'oo']);
});

test('what was synced is found after every crash, whatever is written around it', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const disk = new SimulatedDisk({ seed });
    disk.makeDirectory('/d');
    const file = disk.open('/d/a', 'create');
    disk.syncDirectory('/d');
    file.write(Buffer.alloc(700, 'd'), 0);
    file.sync();
    file.write(Buffer.alloc(700, 'n'), 700);
    const found = disk.crash().readFile('/d/a') as Uint8Array;
    assert.deepEqual(Buffer.from(found.subarray(0, 700)), Buffer.alloc(700, 'd'), `seed ${seed}`);
  }
});

test('a crashed disk is a disk as any other: what was found stays, and may crash again', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const disk = new SimulatedDisk({ seed });
    disk.writeFile('/a', blocks('1', '2', '3'));
    const found = disk.crash();
    assert.deepEqual(found.crash().files(), found.files(), `seed ${seed}`);
  }
});

test('crash keeps created, removed and renamed names that were not synced, or not', () => {
  const created = outcomes((disk) => disk.open('/a', 'create').sync(), namesFound);
  assert.deepEqual([...created.keys()].sort(), ['', 'a'], 'a synced file may have no name');

  const removed = outcomes((disk) => {
    durableFile(disk, '/a', 'o');
    disk.remove('/a');
  }, namesFound);
  assert.deepEqual([...removed.keys()].sort(), ['', 'a']);

  const renamed = outcomes((disk) => {
    durableFile(disk, '/a', 'o');
    disk.rename('/a', '/b');
  }, namesFound);
  assert.deepEqual([...renamed.keys()].sort(), ['a', 'b'], 'never both, never neither');

  const independent = outcomes((disk) => {
    disk.open('/a', 'create');
    disk.open('/b', 'create');
  }, namesFound);
  assert.deepEqual([...independent.keys()].sort(), ['', 'a', 'a b', 'b'], 'in any order');
});

test('crash keeps changes to the same name in their order', () => {
  const seen = outcomes(
    (disk) => {
      durableFile(disk, '/a', 'o');
      disk.writeFile('/t', blocks('1'));
      disk.open('/t', 'write').sync();
      disk.rename('/t', '/a');
      disk.writeFile('/t', blocks('2'));
      disk.open('/t', 'write').sync();
      disk.rename('/t', '/a');
    },
    (disk) => `${lettersOf(disk.readFile('/a'))} ${lettersOf(disk.readFile('/t'))}`,
  );
  assert.deepEqual([...seen.keys()].sort(), ['1 2', '1 absent', '2 absent', 'o 1', 'o absent']);
});

test('crash in a rename between directories leaves both names or one, never neither', () => {
  const move = (disk: SimulatedDisk): void => {
    disk.makeDirectory('/from');
    disk.makeDirectory('/to');
    durableFile(disk, '/from/a', 'o');
    disk.rename('/from/a', '/to/a');
  };
  const look = (disk: SimulatedDisk): string => [...disk.files().keys()].sort().join(' ');
  const both = '/from/a /to/a';
  assert.deepEqual([...outcomes(move, look).keys()].sort(), ['/from/a', both, '/to/a']);
  const toSynced = outcomes((disk) => {
    move(disk);
    disk.syncDirectory('/to');
  }, look);
  assert.deepEqual([...toSynced.keys()].sort(), [both, '/to/a']);
  const fromSynced = outcomes((disk) => {
    move(disk);
    disk.syncDirectory('/from');
  }, look);
  assert.deepEqual([...fromSynced.keys()], ['/to/a']);
});

test('crash never loses a file that was moved out of a directory which was then removed', () => {
  const seen = outcomes(
    (disk) => {
      disk.makeDirectory('/d');
      durableFile(disk, '/d/a', 'o');
      disk.rename('/d/a', '/a');
      disk.removeDirectory('/d');
    },
    (disk) => [...disk.files().keys()].sort().join(' '),
  );
  assert.deepEqual([...seen.keys()].sort(), ['/a', '/a /d/a', '/d/a']);
});

test('names are durable once their directory is synced, and directories once they are made', () => {
  const seen = outcomes(
    (disk) => {
      disk.makeDirectory('/d/e');
      disk.open('/d/e/a', 'create');
      disk.syncDirectory('/d/e');
    },
    (disk) => [...disk.files().keys()].join(' '),
  );
  assert.deepEqual([...seen.keys()], ['/d/e/a']);
});

test('a directory that was found by a killed process is made durable by the next', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const first = new SimulatedDisk({ seed });
    // Between making the directory and syncing its name:
    first.failAt(2, 'crash');
    assert.throws(() => first.makeDirectory('/d'), SimulatedCrash);
    const second = first.kill();
    second.makeDirectory('/d');
    assert.deepEqual(second.crash().list('/'), ['d'], `seed ${seed}`);
  }
});

test('replaceFile leaves the old or the new content, whatever happens at whichever step', () => {
  const replace = (disk: Disk): void => disk.replaceFile('/a', blocks('n', 'n', 'n'));
  const seen = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    for (let nth = 1; nth <= 5; nth++) {
      for (const fault of FAULTS) {
        const disk = new SimulatedDisk({ seed });
        durableFile(disk, '/a', 'o', 'o');
        disk.failAt(disk.operations + nth, fault);
        assert.throws(
          () => replace(disk),
          (error) => error instanceof DiskError || error instanceof SimulatedCrash,
        );
        for (const found of [disk.clone().crash(), disk.kill()]) {
          const content = lettersOf(found.readFile('/a'));
          assert.match(content, /^(oo|nnn)$/, `seed ${seed}, ${fault} at step ${nth}`);
          seen.add(`${content} after ${fault} at step ${nth}`);
          replace(found);
          assert.equal(lettersOf(found.crash().readFile('/a')), 'nnn');
        }
      }
    }
  }
  assert.ok(seen.has('nnn after crash at step 5') && seen.has('oo after crash at step 5'), 'both can happen');
  assert.ok(!seen.has('nnn after crash at step 3'), 'not before the rename');
});

test('a replaceFile that forgets a step is found out', () => {
  const forgetful: Record<string, (disk: Disk) => void> = {
    'without the sync': (disk) => {
      disk.writeFile('/a.tmp', blocks('n', 'n'));
      disk.rename('/a.tmp', '/a');
      disk.syncDirectory('/');
    },
    'without the directory sync': (disk) => {
      disk.writeFile('/a.tmp', blocks('n', 'n'));
      disk.open('/a.tmp', 'write').sync();
      disk.rename('/a.tmp', '/a');
    },
    'without the temporary file': (disk) => disk.writeFile('/a', blocks('n', 'n')),
  };
  for (const [how, replace] of Object.entries(forgetful)) {
    const seen = outcomes(
      (disk) => {
        durableFile(disk, '/a', 'o', 'o');
        replace(disk);
      },
      (disk) => lettersOf(disk.readFile('/a')),
    );
    const wrong = SEEDS - (seen.get('nn') ?? 0);
    assert.ok(wrong > SEEDS / 10, `${how}: ${wrong} of ${SEEDS} seeds found it`);
  }
});

test('kill keeps what was written, and it is no more durable than before', () => {
  const written = (seed: number): SimulatedDisk => {
    const disk = new SimulatedDisk({ seed });
    disk.writeFile('/a', blocks('n', 'n'));
    return disk;
  };
  const seen = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const disk = written(seed);
    const found = disk.kill();
    assert.throws(() => disk.list('/'), SimulatedCrash);
    assert.equal(lettersOf(found.readFile('/a')), 'nn');
    seen.add(lettersOf(found.crash().readFile('/a')));
  }
  for (const expected of ['absent', '', 'nn', '-n', 'n-'])
    assert.ok(seen.has(expected), `${expected} in ${[...seen]}`);
});

test('crash with a survival named does the least or the most that a crash can do', () => {
  const disk = new SimulatedDisk({ seed: 1 });
  durableFile(disk, '/a', 'o', 'o');
  disk.open('/a', 'write').write(blocks('n', 'n'), 512);
  disk.writeFile('/b', blocks('b'));
  const look = (found: SimulatedDisk): string[] =>
    [...found.files()].map(([path, content]) => `${path} ${lettersOf(content)}`).sort();
  assert.deepEqual(look(disk.crash('nothing')), ['/a oo']);
  assert.deepEqual(look(disk.crash('everything')), ['/a onn', '/b b']);
});

test('a sync that drops its pages: reads show them, later syncs succeed, a crash takes them away', () => {
  const seen = outcomes(
    (disk) => {
      durableFile(disk, '/a', 'o', 'o', 'o');
      const file = disk.open('/a', 'write');
      file.write(blocks('n', 'n', 'n'), 0);
      disk.failAt(disk.operations + 1, 'drop');
      assert.throws(() => file.sync(), { name: 'DiskError', code: 'io' });
      file.sync();
      assert.equal(lettersOf(disk.readFile('/a')), 'nnn');
    },
    (disk) => lettersOf(disk.readFile('/a')),
  );
  assert.ok((seen.get('ooo') ?? 0) > SEEDS / 10, [...seen].join(' '));
  for (const content of seen.keys()) assert.match(content, /^[on]{3}$/);
});

test('a sync that drops its pages: the next process reads them too, and a crash still takes them away', () => {
  const seen = outcomes(
    (disk) => {
      durableFile(disk, '/a', 'o');
      const file = disk.open('/a', 'write');
      file.write(blocks('n'), 0);
      disk.failAt(disk.operations + 1, 'drop');
      assert.throws(() => file.sync(), DiskError);
    },
    (disk) => lettersOf(disk.readFile('/a')),
  );
  assert.ok((seen.get('o') ?? 0) > SEEDS / 10);
  for (let seed = 0; seed < SEEDS; seed++) {
    const disk = new SimulatedDisk({ seed });
    durableFile(disk, '/a', 'o');
    const file = disk.open('/a', 'write');
    file.write(blocks('n'), 0);
    disk.failAt(disk.operations + 1, 'drop');
    assert.throws(() => file.sync(), DiskError);
    const next = disk.kill();
    assert.equal(lettersOf(next.readFile('/a')), 'n');
    // Only writing it again, and syncing that, makes it durable.
    next.open('/a', 'write').sync();
    const rewritten = next.clone();
    const again = rewritten.open('/a', 'write');
    again.write(blocks('n'), 0);
    again.sync();
    assert.equal(lettersOf(rewritten.crash().readFile('/a')), 'n', `seed ${seed}`);
  }
});
