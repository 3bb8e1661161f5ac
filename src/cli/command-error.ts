// What a command throws when it cannot do its work. The text follows `Cannot <action> <object>: <present state>, expected
// <desired state>. <what to do>` and is printed as it stands behind `portledger: `; the exit code is 2.

export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
