import type { PathPositions, Position } from '../diagnostics.ts';
import { LineIndex } from './line-index.ts';

/** Where each path of a configuration stands in its text, filled in while the text is read. */
export class PositionMap implements PathPositions {
  readonly file: string;
  readonly #lines: LineIndex;
  readonly #offsets = new Map<string, number>();

  constructor(file: string, text: string) {
    this.file = file;
    this.#lines = new LineIndex(text);
  }

  /** Notes that `path` stands at an offset of the text. */
  set(path: string, at: number): void {
    this.#offsets.set(path, at);
  }

  find(path: string): Position | null {
    for (let part = path; ; part = parentPath(part)) {
      const at = this.#offsets.get(part);
      if (at !== undefined) return this.#lines.position(at);
      if (part === '') return null;
    }
  }

  /** Line and column of an offset. */
  position(at: number): Position {
    return this.#lines.position(at);
  }
}

/** The path without its last part: `a.b[0]` for `a.b[0].c`, `a.b` for `a.b[0]` and for `a.b["c.d"]`. */
export function parentPath(path: string): string {
  if (path.endsWith('"]')) return path.slice(0, Math.max(0, path.lastIndexOf('["')));
  return path.slice(0, Math.max(0, path.lastIndexOf('.'), path.lastIndexOf('[')));
}

/** Path of a map's entry below the map's own path. */
export function entryPath(path: string, key: string): string {
  return `${path}["${key}"]`;
}
