/** How bad a finding is: an error refuses the configuration, a warning is only said. */
export type Severity = 'error' | 'warning';

/** A place in a text, both counted from one. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Finds the place of a configuration path in the text it was read from. */
export interface PathPositions {
  /** The file's name as it is to be shown. */
  readonly file: string;
  /** Where `path` stands, or the nearest thing above it that stands in the text; null when unknown. */
  find(path: string): Position | null;
}

/** One finding about a configuration. */
export interface Diagnostic {
  readonly severity: Severity;
  /** Path in Envoy's own spelling, `static_resources.listeners[0].filter_chains[0]`; empty for the whole. */
  readonly path: string;
  /** What is wrong, one sentence without a full stop. */
  readonly problem: string;
  /** What was probably meant, ready to follow "did you mean"; null when nothing is near. */
  readonly suggestion: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
}

/** One problem of a configuration, thrown where going on makes no sense. Its path may be relative to its reader's. */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError';
  readonly path: string;
  readonly problem: string;
  readonly suggestion: string | null;

  constructor(path: string, problem: string, suggestion: string | null = null) {
    super(describeProblem(path, problem, suggestion));
    this.path = path;
    this.problem = problem;
    this.suggestion = suggestion;
  }
}

/** Joins two path parts: `joinPath('a.b', '[0].c')` is `a.b[0].c`, `joinPath('a', 'b')` is `a.b`. */
export function joinPath(base: string, rest: string): string {
  if (base === '') return rest;
  if (rest === '') return base;
  return rest.startsWith('[') ? base + rest : `${base}.${rest}`;
}

/** A problem in one line: `path: problem; did you mean suggestion?` */
export function describeProblem(path: string, problem: string, suggestion: string | null): string {
  const head = path === '' ? problem : `${path}: ${problem}`;
  return suggestion === null ? head : `${head}; did you mean ${suggestion}?`;
}

/** A diagnostic in one line, as compilers write it: `file:line:column: error: path: problem`. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, path, problem, suggestion } = diagnostic;
  const place = line === null ? (file ?? '') : `${file ?? ''}:${line}:${column ?? 1}`;
  const text = describeProblem(path, problem, suggestion);
  return place === '' ? `${severity}: ${text}` : `${place}: ${severity}: ${text}`;
}

/** What a {@link Diagnostics} tree shares: the list, and where places are looked up. */
interface Collected {
  readonly list: Diagnostic[];
  /** What the list holds, so that nothing is said twice. */
  readonly said: Set<string>;
  readonly positions: PathPositions | null;
}

/**
 * Gathers all the problems of a configuration, so that they are reported at once.
 *
 * `at` makes a child for a part of the configuration: paths given to it are relative to it, and what it
 * finds lands in the same list. Identical findings are kept once.
 */
export class Diagnostics {
  /** The path that paths given to this object are relative to. */
  readonly base: string;
  readonly #shared: Collected;

  constructor(positions: PathPositions | null = null, base = '', parent: Diagnostics | null = null) {
    this.base = base;
    this.#shared = parent === null ? { list: [], said: new Set(), positions } : parent.#shared;
  }

  /** A view for the part at `path`. */
  at(path: string): Diagnostics {
    return new Diagnostics(null, joinPath(this.base, path), this);
  }

  /** Notes a problem that refuses the configuration. */
  error(path: string, problem: string, suggestion: string | null = null): void {
    this.#add('error', path, problem, suggestion);
  }

  /** Notes something that works but deserves a word. */
  warning(path: string, problem: string, suggestion: string | null = null): void {
    this.#add('warning', path, problem, suggestion);
  }

  /** Notes a thrown error: a {@link ConfigError} with its path below this object's, anything else is thrown on. */
  caught(error: unknown): void {
    if (!(error instanceof ConfigError)) throw error;
    this.error(error.path, error.problem, error.suggestion);
  }

  /** Runs `body`; a {@link ConfigError} it throws is noted and the answer is undefined. */
  try<T>(body: () => T): T | undefined {
    try {
      return body();
    } catch (error) {
      this.caught(error);
      return undefined;
    }
  }

  /** Everything found so far in the whole tree, in the order it was found. */
  get all(): readonly Diagnostic[] {
    return this.#shared.list;
  }

  /** The errors found so far in the whole tree. */
  get errors(): readonly Diagnostic[] {
    return this.#shared.list.filter((found) => found.severity === 'error');
  }

  /** Whether the whole tree has an error. */
  get failed(): boolean {
    return this.#shared.list.some((found) => found.severity === 'error');
  }

  /** Throws one {@link ConfigError} that names every error of the tree; does nothing when there is none. */
  throwIfFailed(): void {
    const errors = this.errors;
    const first = errors[0];
    if (first === undefined) return;
    if (errors.length === 1) throw new ConfigError(first.path, first.problem, first.suggestion);
    const text = errors.map((found) => describeProblem(found.path, found.problem, found.suggestion));
    throw new ConfigError('', `${errors.length} problems:\n  ${text.join('\n  ')}`);
  }

  #add(severity: Severity, path: string, problem: string, suggestion: string | null): void {
    const full = joinPath(this.base, path);
    const { list, said, positions } = this.#shared;
    const key = `${severity}\0${full}\0${problem}`;
    if (said.has(key)) return;
    said.add(key);
    const place = positions?.find(full) ?? null;
    list.push({
      severity,
      path: full,
      problem,
      suggestion,
      file: positions?.file ?? null,
      line: place?.line ?? null,
      column: place?.column ?? null,
    });
  }
}
