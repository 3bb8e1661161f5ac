// How parsers of untrusted bytes answer: the parsed thing, or what is wrong with the bytes in words for the reader of a report.
// Nothing is thrown, because malformed input is ordinary.

export interface ProblemFound {
  readonly problem: string;
}

export function isProblem<T extends object>(value: T | ProblemFound): value is ProblemFound {
  return 'problem' in value;
}
