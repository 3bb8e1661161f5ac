// Query parameters of requests. A name that a route does not know is refused: a misspelt `ledger` that is silently ignored
// would give an auditor the right answer to another question.

import { ApiError } from './api-error.ts';

export class Parameters {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(query: unknown, known: readonly string[]) {
    this.#values = (query ?? {}) as Record<string, unknown>;
    for (const name of Object.keys(this.#values)) {
      if (!known.includes(name)) {
        const expected = known.length === 0 ? 'none' : `one of ${known.join(', ')}`;
        throw invalid(`it has an unknown parameter, expected ${expected}`);
      }
    }
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    if (value === undefined || typeof value === 'string') return value;
    throw invalid(`"${name}" is given twice, expected once`);
  }

  /** A whole number from `min` to `max`. */
  count(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseCount(name, text, min, max);
  }
}

export function parseCount(name: string, text: string, min: number, max: number): number {
  const count = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= min && count <= max) return count;
  throw invalid(`"${name}" is not acceptable, expected a whole number from ${min} to ${max}`);
}

/** A JSON object with these members and no others; none at all where the body is empty. */
export function parseObject(body: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (body === undefined || body === null) return {};
  if (typeof body !== 'object' || Array.isArray(body))
    throw invalid('its body is no JSON object, expected one');
  const unknown = Object.keys(body).some((name) => !known.includes(name));
  if (unknown) throw invalid(`its body has an unknown member, expected only ${known.join(', ')}`);
  return body as Record<string, unknown>;
}

function invalid(state: string): ApiError {
  return new ApiError(400, 'invalid-parameter', `Cannot answer request: ${state}.`);
}
