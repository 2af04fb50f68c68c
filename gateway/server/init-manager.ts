import type { InitTarget } from '#gateway/api/context.ts';
import type { Logger } from '#gateway/base/log.ts';

/**
 * Waits for everything that must be ready before listeners open, in Envoy's order: first what clusters need (names of hosts,
 * their secrets), then what listeners need, whose secrets may come through those clusters.
 */
export class InitManager {
  readonly #log: Logger;
  readonly #forClusters = new Set<InitTarget>();
  readonly #forListeners = new Set<InitTarget>();
  #stage: 'clusters' | 'listeners' | 'started' = 'clusters';
  #running: Set<InitTarget> | null = null;
  #next: (() => void) | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Adds a target of the part that is being configured; once started, it starts at once and holds nobody up. */
  add(target: InitTarget): void {
    if (this.#stage === 'started') target.start(() => {});
    else (this.#stage === 'clusters' ? this.#forClusters : this.#forListeners).add(target);
  }

  /** All clusters are configured: what is added from here on is for listeners. */
  clustersConfigured(): void {
    this.#stage = 'listeners';
  }

  /** Names of what has not finished. */
  get unready(): readonly string[] {
    return [...this.#forClusters, ...this.#forListeners].map((target) => target.name);
  }

  /**
   * Starts all targets. `clustersReady` is called when those of clusters are done, `ready` when all are: each once, at the
   * earliest before this returns.
   */
  start(clustersReady: () => void, ready: () => void): void {
    this.#stage = 'started';
    this.#run(this.#forClusters, () => {
      clustersReady();
      this.#run(this.#forListeners, ready);
    });
  }

  #run(targets: Set<InitTarget>, then: () => void): void {
    this.#running = targets;
    this.#next = then;
    for (const target of [...targets]) {
      target.start(() => {
        if (!targets.delete(target)) return;
        if (this.#log.debugOn) this.#log.debug(`init target ${target.name} is ready`);
        this.#finish(targets);
      });
    }
    this.#finish(targets);
  }

  #finish(targets: Set<InitTarget>): void {
    if (targets.size > 0 || this.#running !== targets || this.#next === null) return;
    const next = this.#next;
    this.#next = null;
    next();
  }
}
