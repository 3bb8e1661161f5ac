// From the words of `portledger verify` to what the verifier needs.

import type { VerifyReport } from '../verify/report.ts';
import { CommandError } from './command-error.ts';
import type { Invocation } from './invocation.ts';
import type { VerifyOptions } from './verify.ts';

export async function verifyTarget(
  target: string | undefined,
  _options: VerifyOptions,
  _invocation: Invocation,
): Promise<VerifyReport> {
  throw new CommandError(
    `Cannot verify ${target ?? 'the data directory'}: that is not part of this version.`,
  );
}
