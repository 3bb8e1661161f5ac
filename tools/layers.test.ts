// The house (docs/architecture.md): which folder may import from which, and who may touch files, sockets, the clock,
// randomness and timers. Crash simulation rests on the second half: what a simulator cannot stand in for, it cannot test.
//
// Read from the source text, without a compiler: comments and strings are blanked, then imports and names are looked for.
// That finds mistakes, not malice.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { test } from 'node:test';

/** From the foundation up: a folder imports only from folders before it. */
const HOUSE = [
  'bytes',
  'tls',
  'event',
  'merkle',
  'sealed',
  'verify',
  'disk',
  'keys',
  'ledger',
  'vault',
  'custody',
  'formats',
  'intake',
  'receive',
  'capture',
  'query',
  'search',
  'posture',
  'watch',
  'forward',
  'evidence',
  'access',
  'server',
  'console',
  'cli',
  'main.ts',
] as const;
type Floor = (typeof HOUSE)[number];

/** Narrower than the order: what an outsider has to read to trust the verifier stays small. */
const ONLY: Partial<Record<Floor, readonly Floor[]>> = {
  verify: ['bytes', 'event', 'merkle', 'sealed'],
};

interface Ban {
  readonly capability: 'files' | 'sockets' | 'clock' | 'randomness' | 'timers' | 'modules at run time';
  readonly modules: RegExp;
  /** Names imported from a module that is otherwise free. */
  readonly imports?: readonly [module: RegExp, names: RegExp];
  readonly names: RegExp;
  readonly allowedIn: readonly Floor[];
  readonly instead: string;
}

const FROM_SERVER_UP: readonly Floor[] = ['server', 'console', 'cli', 'main.ts'];
const RANDOM_NAMES =
  'random(?:Bytes|UUID|UUIDv7|Int|Fill|FillSync)|getRandomValues|generateKey|generateKeySync|generateKeyPair|generateKeyPairSync|generatePrime|generatePrimeSync';

const BANS: readonly Ban[] = [
  {
    capability: 'files',
    modules: /^(?:node:)?fs(?:\/promises)?$/,
    names: /(?!)/,
    allowedIn: ['disk'],
    instead: 'Take a Disk (disk/disk.ts) as an argument.',
  },
  {
    capability: 'sockets',
    modules:
      /^(?:(?:node:)?(?:net|tls|http|https|http2|dgram|dns|dns\/promises)|undici|ws|fastify|@grpc\/grpc-js|@aws-sdk\/.*|openid-client)$/,
    // Called, not declared: a method may have that name.
    names:
      /(?<![.\w$#])(?!(?<=^\s*(?:async )?)\w+\([^\n]*\)\s*[:{])(?:fetch|WebSocket|EventSource)(?=\s*\()/m,
    // The console's is the browser's own fetch.
    allowedIn: [
      'keys',
      'vault',
      'custody',
      'receive',
      'capture',
      'search',
      'posture',
      'watch',
      'forward',
      'access',
      'server',
      'console',
      'cli',
    ],
    instead: 'Pass bytes in and out, and let a folder that may open sockets carry them.',
  },
  {
    capability: 'clock',
    modules: /^(?:node:)?perf_hooks$/,
    names:
      /\bDate\.now\b|\bnew Date(?:\(\s*\)|(?!\s*\())|\bperformance\.(?:now|timeOrigin)\b|\bprocess\.hrtime\b/,
    allowedIn: FROM_SERVER_UP,
    instead: 'Take the time, or a function that tells it, as an argument.',
  },
  {
    capability: 'randomness',
    modules: /(?!)/,
    imports: [/^(?:node:)?crypto$/, new RegExp(`^(?:${RANDOM_NAMES})$`)],
    names: new RegExp(`\\bMath\\.random\\b|\\b[cC]rypto\\.(?:subtle\\.)?(?:${RANDOM_NAMES})\\b`),
    allowedIn: FROM_SERVER_UP,
    instead: 'Take random bytes, or a function that makes them, as an argument.',
  },
  {
    capability: 'timers',
    modules: /^(?:node:)?timers(?:\/promises)?$/,
    names:
      /(?<!typeof )(?<![.\w$#]|function )(?:setTimeout|setInterval|setImmediate)\b(?!\??:)|\bglobalThis\.set(?:Timeout|Interval|Immediate)\b|\bAbortSignal\.timeout\b/,
    allowedIn: FROM_SERVER_UP,
    instead: 'Take a timer as an argument.',
  },
  {
    capability: 'modules at run time',
    modules: /^(?:node:)?module$/,
    names: /\bgetBuiltinModule\b|(?<![.\w$])require\(/,
    allowedIn: [],
    instead: 'Import it by name, so that this test can see it.',
  },
];

interface Exception {
  readonly file: string;
  readonly capability: Ban['capability'];
  readonly why: string;
}

/** Each with its reason. One that nothing needs any more is a failure too. */
const EXCEPTIONS: readonly Exception[] = [
  {
    file: 'verify/directory-source.ts',
    capability: 'files',
    why: 'the verifier stands alone, without disk/, and reads what it verifies; it never writes',
  },
  // A thread begins in worker.ts as the process begins in main.ts: nobody can pass a function to it. Everything that it starts
  // (writer, recovery, keys) takes these three as arguments.
  {
    file: 'ledger/worker.ts',
    capability: 'clock',
    why: "entry point of a ledger's thread: it gives the writer its clock, and decides when to publish",
  },
  {
    file: 'ledger/worker.ts',
    capability: 'randomness',
    why: "entry point of a ledger's thread: it gives the writer and the keys their random bytes",
  },
  {
    file: 'ledger/worker.ts',
    capability: 'timers',
    why: "entry point of a ledger's thread: publication comes after a while, the writer itself never waits",
  },
  {
    file: 'ledger/worker-ledger.ts',
    capability: 'timers',
    why: 'lets others have their turn (setImmediate) between two frames and while it closes; it waits for no point in time',
  },
];

interface Import {
  readonly from: string;
  readonly names: readonly string[];
  readonly isTypeOnly: boolean;
  readonly line: number;
}

interface Problem {
  readonly file: string;
  readonly capability?: Ban['capability'];
  readonly message: string;
}

/** Of one file of the house; `file` is its path below src/. */
function problemsIn(file: string, source: string): Problem[] {
  const floor = floorOf(file);
  if (floor === undefined) {
    return [
      {
        file,
        message: `src/${file}: stands in no folder of the house, expected one of ${HOUSE.join(', ')}.`,
      },
    ];
  }
  const { code, withoutComments } = blank(file, source);
  const imports = importsIn(code, withoutComments);
  const problems: Problem[] = [];
  for (const imported of imports) {
    const message = directionProblem(file, floor, imported);
    if (message !== undefined) problems.push({ file, message });
  }
  for (const ban of BANS) {
    if (ban.allowedIn.includes(floor)) continue;
    const report = (line: number, what: string): void => {
      const message = `src/${file}:${line}: uses ${what} (${ban.capability}), allowed only in ${
        ban.allowedIn.join(', ') || 'no folder'
      }. ${ban.instead}`;
      problems.push({ file, capability: ban.capability, message });
    };
    for (const { from, names, isTypeOnly, line } of imports) {
      // A type is erased: it opens nothing.
      if (isTypeOnly) continue;
      if (ban.modules.test(from)) report(line, `"${from}"`);
      if (!ban.imports?.[0].test(from)) continue;
      for (const name of names) if (ban.imports[1].test(name)) report(line, `${name} of "${from}"`);
    }
    for (const match of code.matchAll(new RegExp(ban.names, 'gm')))
      report(lineAt(code, match.index), match[0].trim());
  }
  return problems;
}

function directionProblem(file: string, floor: Floor, { from, line }: Import): string | undefined {
  if (!from.startsWith('.')) return undefined;
  const target = posix.join(posix.dirname(file), from);
  const where = `src/${file}:${line}: imports "${from}"`;
  if (target === '../package.json') return undefined;
  if (isForTests(target)) return `${where}, which is for tests, expected something that is shipped.`;
  const targetFloor = floorOf(target);
  if (targetFloor === undefined) return `${where}, which is outside the house, expected a file below src/.`;
  if (targetFloor === floor) return undefined;
  const allowed: readonly Floor[] = ONLY[floor] ?? HOUSE.slice(0, HOUSE.indexOf(floor));
  if (allowed.includes(targetFloor)) return undefined;
  return (
    `${where}: ${floor} must not know ${targetFloor}, expected only ${allowed.join(', ') || 'nothing'}. ` +
    'Move the shared type to a lower floor, or let main.ts pass in a function.'
  );
}

function floorOf(file: string): Floor | undefined {
  const [first] = file.split('/');
  return HOUSE.find((floor) => floor === first);
}

function isForTests(file: string): boolean {
  return /\.(?:test|bench|fixture)\.ts$|\/testing\//.test(file);
}

function importsIn(code: string, withoutComments: string): Import[] {
  const found: Import[] = [];
  const collect = (pattern: RegExp, read: (match: RegExpMatchArray) => Omit<Import, 'line'>): void => {
    for (const match of withoutComments.matchAll(pattern)) {
      // Where `code` is blank, the text stands in a string.
      if (code.startsWith(match[0].slice(0, 3), match.index)) {
        found.push({ ...read(match), line: lineAt(code, match.index) });
      }
    }
  };
  collect(
    /\b(?:import|export)\s+(type\s)?([\w\s{},*$]*?)\bfrom\s*['"]([^'"]+)['"]/g,
    ([, type, names, from]) => ({
      from: from as string,
      names: (names as string).split(/[\s{},]+/),
      isTypeOnly: type !== undefined,
    }),
  );
  const plain = ([, from]: RegExpMatchArray): Omit<Import, 'line'> => ({
    from: from as string,
    names: [],
    isTypeOnly: false,
  });
  collect(/\bimport\s*\(?\s*['"]([^'"]+)['"]/g, plain);
  // How worker threads are started.
  collect(/\bnew URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url/g, plain);
  return found;
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** What is text is replaced by blanks of the same length, so that positions and lines stay. */
function blank(file: string, source: string): { code: string; withoutComments: string } {
  const code = source.split('');
  const withoutComments = source.split('');
  /** Braces that are open in each template literal that the scan is in. */
  const templates: number[] = [];
  let at = 0;
  const skip = (length: number, isComment: boolean): void => {
    for (const end = Math.min(at + length, source.length); at < end; at++) {
      if (source[at] === '\n') continue;
      code[at] = ' ';
      if (isComment) withoutComments[at] = ' ';
    }
  };
  const skipMatch = (pattern: RegExp, isComment = false): void => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match === null) {
      const where = `src/${file}:${lineAt(source, at)}`;
      throw new Error(`Cannot read ${where}: the text that begins here does not end, expected it to.`);
    }
    skip(match[0].length, isComment);
  };
  const skipTemplate = (): void => {
    // Up to its end, or to the next `${`, after which there is code again.
    skipMatch(/(?:[^\\`$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y);
    if (source[at - 1] === '{') templates.push(0);
  };
  while (at < source.length) {
    const two = source.slice(at, at + 2);
    const char = source[at] as string;
    if (two === '//' || two === '#!') skipMatch(/.*/y, true);
    else if (two === '/*') skipMatch(/\/\*[\s\S]*?\*\//y, true);
    else if (char === "'") skipMatch(/'(?:[^\\'\n]|\\[\s\S])*'/y);
    else if (char === '"') skipMatch(/"(?:[^\\"\n]|\\[\s\S])*"/y);
    else if (char === '`') {
      skip(1, false);
      skipTemplate();
    } else if (char === '/' && beginsRegularExpression(source.slice(0, at))) {
      skipMatch(/\/(?:[^\\/[\n]|\\.|\[(?:[^\\\]\n]|\\.)*\])+\//y);
    } else if (char === '}' && templates.at(-1) === 0) {
      templates.pop();
      skip(1, false);
      skipTemplate();
    } else {
      if (templates.length > 0 && char === '{') templates[templates.length - 1]!++;
      if (templates.length > 0 && char === '}') templates[templates.length - 1]!--;
      at++;
    }
  }
  return { code: code.join(''), withoutComments: withoutComments.join('') };
}

/** A slash divides after a value (also after `value!`), and begins a regular expression after anything else. */
function beginsRegularExpression(before: string): boolean {
  const tail = before.slice(-40).trimEnd();
  return /(?:^|(?<![\w\])])!|[(,=:[&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|yield|await))$/.test(
    tail,
  );
}

const houseFiles = globSync('**/*.ts', { cwd: new URL('../src/', import.meta.url).pathname })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => !isForTests(file))
  .sort();
const readHouse = (file: string): string => readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8');

test('every import goes down the house, and only those who may touch files, sockets, clock, randomness and timers', () => {
  const isExcepted = ({ file, capability }: Problem): boolean =>
    EXCEPTIONS.some((exception) => exception.file === file && exception.capability === capability);
  const problems = houseFiles.flatMap((file) => problemsIn(file, readHouse(file)));
  const messages = problems.filter((problem) => !isExcepted(problem)).map(({ message }) => message);
  assert.equal(messages.length, 0, `${messages.length} problems\n${messages.join('\n')}`);
});

test('every exception is still needed', () => {
  for (const { file, capability, why } of EXCEPTIONS) {
    assert.ok(
      existsSync(new URL(`../src/${file}`, import.meta.url)),
      `src/${file} is excepted and does not exist`,
    );
    const isNeeded = problemsIn(file, readHouse(file)).some((problem) => problem.capability === capability);
    assert.ok(isNeeded, `src/${file} no longer uses ${capability} (${why}): remove its exception`);
  }
});

test('an import up the house is refused, in whichever way it is written', () => {
  for (const source of [
    "import { search } from '../search/scan.ts';",
    "import type { Hit } from '../search/scan.ts';",
    "import {\n  type Hit,\n  search,\n} from '../search/scan.ts';",
    "import * as search from '../search/scan.ts';",
    "export * from '../search/scan.ts';",
    "import '../search/scan.ts';",
    "const search = await import('../search/scan.ts');",
    "new Worker(new URL('../search/scan.ts', import.meta.url));",
  ]) {
    assert.deepEqual(
      problemsIn('ledger/ledger.ts', `// A comment.\n${source}\n`).map(({ message }) => message),
      [
        'src/ledger/ledger.ts:2: imports "../search/scan.ts": ledger must not know search, expected only ' +
          'bytes, tls, event, merkle, sealed, verify, disk, keys. ' +
          'Move the shared type to a lower floor, or let main.ts pass in a function.',
      ],
      source,
    );
  }
});

test('an import within the folder, down the house or from a package is fine', () => {
  for (const source of [
    "import { a } from './a.ts';",
    "import { Disk } from '../disk/disk.ts';",
    "import { createHash } from 'node:crypto';",
    "import { parse } from 'yaml';",
  ]) {
    assert.deepEqual(problemsIn('ledger/ledger.ts', source), []);
  }
});

test('the verifier imports only what an outsider reads', () => {
  assert.equal(problemsIn('verify/a.ts', "import '../merkle/a.ts';").length, 0);
  assert.match(
    problemsIn('verify/a.ts', "import '../tls/a.ts';")[0]?.message as string,
    /verify must not know tls, expected only bytes, event, merkle, sealed\./,
  );
});

test('a folder outside the house, an import out of it and an import of a test file are refused', () => {
  assert.match(problemsIn('utils/a.ts', '')[0]?.message as string, /stands in no folder of the house/);
  assert.match(
    problemsIn('cli/a.ts', "import '../../tools/a.ts';")[0]?.message as string,
    /outside the house/,
  );
  for (const file of ['./a.test.ts', './a.fixture.ts', '../disk/testing/a.ts']) {
    assert.match(problemsIn('ledger/a.ts', `import '${file}';`)[0]?.message as string, /is for tests/);
  }
});

test('each capability is refused where it is banned and allowed where it is not', () => {
  const uses: readonly [Ban['capability'], banned: string, allowed: string, sources: readonly string[]][] = [
    ['files', 'ledger/a.ts', 'disk/a.ts', ["import { openSync } from 'node:fs';", "import 'fs/promises';"]],
    [
      'sockets',
      'ledger/a.ts',
      'receive/a.ts',
      ["import net from 'node:net';", "import { connect } from 'node:tls';", "await fetch('https://a');"],
    ],
    [
      'clock',
      'ledger/a.ts',
      'server/a.ts',
      [
        'Date.now();',
        'new Date();',
        'const now = Date.now;',
        'performance.now();',
        'process.hrtime.bigint();',
      ],
    ],
    [
      'randomness',
      'keys/a.ts',
      'cli/a.ts',
      [
        'Math.random();',
        "import { createHash, randomBytes } from 'node:crypto';",
        'crypto.getRandomValues(bytes);',
        "import { generateKeyPairSync as make } from 'node:crypto';",
      ],
    ],
    [
      'timers',
      'intake/a.ts',
      'main.ts',
      [
        'setTimeout(() => {}, 1);',
        'const { later = setInterval } = options;',
        "import 'node:timers/promises';",
      ],
    ],
    [
      'modules at run time',
      'ledger/a.ts',
      '',
      ["process.getBuiltinModule('node:fs');", "require('node:fs');"],
    ],
  ];
  for (const [capability, banned, allowed, sources] of uses) {
    for (const source of sources) {
      assert.deepEqual(
        problemsIn(banned, source).map((problem) => problem.capability),
        [capability],
        source,
      );
      if (allowed !== '') assert.deepEqual(problemsIn(allowed, source), [], source);
    }
  }
});

test('what only looks like a capability is fine: text, types, other names, what was passed in', () => {
  for (const source of [
    '// Date.now() and Math.random()',
    '/* import "../server/a.ts"; setTimeout() */',
    'const text = \'Date.now()\' + "new Date()";',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
    "const text = `setTimeout(${value({ a: 1 })}) Date.now() ${'`'} new Date()`;",
    'const pattern = /Date.now() "/; const half = a / b[0]! / c; // \'',
    "import type { Socket } from 'node:net';",
    'new Date(milliseconds);',
    'timers.setTimeout(callback, 10); this.#clock.now(); random.bytes(32);',
    'function later(timer: typeof setTimeout): void {}',
    'interface Options { readonly setTimeout: Timer; readonly randomBytes: (length: number) => Uint8Array }',
    'const salt = randomBytes(32);',
    'this.fetch(position);',
    'class Shelf {\n  async fetch(index: number): Promise<void> {\n  }\n}',
  ]) {
    assert.deepEqual(problemsIn('ledger/a.ts', source), [], source);
  }
});

test('code between template literals is seen', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
  const source = 'const id = `at ${`${Date.now()}`} and ${{ a: Math.random() }}`;';
  assert.equal(problemsIn('ledger/a.ts', source).length, 2);
});

test('text that is not understood is refused, not passed over', () => {
  assert.throws(
    () => problemsIn('ledger/a.ts', "\nconst text = 'never ended;"),
    /Cannot read src\/ledger\/a.ts:2: /,
  );
});
