import type { InitTarget } from '#gateway/api/context.ts';
import type { Logger } from '#gateway/base/log.ts';

/** Waits for everything that must be ready before listeners open. */
export class InitManager {
  readonly #log: Logger;
  readonly #waiting = new Set<InitTarget>();
  #started = false;
  #ready: (() => void) | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Adds a target; once started, it starts at once and holds nobody up. */
  add(target: InitTarget): void {
    if (this.#started) {
      target.start(() => {});
      return;
    }
    this.#waiting.add(target);
  }

  /** Names of what has not finished. */
  get unready(): readonly string[] {
    return [...this.#waiting].map((target) => target.name);
  }

  /** Starts all targets; `ready` is called once when all are done, at the earliest before this returns. */
  start(ready: () => void): void {
    this.#started = true;
    this.#ready = ready;
    for (const target of [...this.#waiting]) {
      target.start(() => {
        if (!this.#waiting.delete(target)) return;
        if (this.#log.debugOn) this.#log.debug(`init target ${target.name} is ready`);
        this.#finish();
      });
    }
    this.#finish();
  }

  #finish(): void {
    if (this.#waiting.size > 0 || this.#ready === null) return;
    const ready = this.#ready;
    this.#ready = null;
    ready();
  }
}
