// Which methods there are at an address: what a client that used another one is told (RFC 9110, section 15.5.6). The router
// only answers for a method that it is asked about, so the patterns of the routes are kept here as they are registered.

export class RouteMethods {
  readonly #routes: { readonly pattern: readonly string[]; readonly methods: readonly string[] }[] = [];

  add(url: string, method: string | readonly string[]): void {
    this.#routes.push({ pattern: url.split('/'), methods: [method].flat() });
  }

  /** Sorted; none where there is nothing at all. The path is a client's, with or without a query. */
  at(path: string): string[] {
    const parts = path.split('?', 1)[0]!.split('/');
    const found = this.#routes.filter(({ pattern }) => matches(pattern, parts));
    return [...new Set(found.flatMap(({ methods }) => methods))].sort();
  }
}

function matches(pattern: readonly string[], parts: readonly string[]): boolean {
  const isOpen = pattern.at(-1) === '*';
  if (isOpen ? parts.length < pattern.length : parts.length !== pattern.length) return false;
  return pattern.every((part, at) => part === '*' || part === parts[at] || isNamed(part, parts[at]!));
}

/** `:name` stands for anything but nothing. */
function isNamed(part: string, given: string): boolean {
  return part.startsWith(':') && given !== '';
}
