// npm run nightly [suite…]
//
// `npm test` with numbers for a long night; each can be set from outside:
//
//   SIM_SEEDS              1000000    simulated histories of crashes and faults (test/sim)
//   MUTATIONS              100000     changes to stored files that verify must find (test/mutation)
//   KILL_ROUNDS            1000       kill -9 under load (test/peers)
//   PROPERTY_RUNS          100000     random cases for each property of the disks
//   TEST_TIMEOUT_MINUTES   1440       how long one test may take

const NIGHTLY = {
  SIM_SEEDS: 1_000_000,
  MUTATIONS: 100_000,
  KILL_ROUNDS: 1_000,
  PROPERTY_RUNS: 100_000,
  TEST_TIMEOUT_MINUTES: 1_440,
};

for (const [name, value] of Object.entries(NIGHTLY)) process.env[name] ??= String(value);
await import('./test.ts');

export {};
