import type { DrainRequest, ServerState } from '#gateway/admin/admin-services.ts';
import type { AdminListener } from '#gateway/admin/listen.ts';
import type { Logger } from '#gateway/base/log.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { BuiltServer } from './build-server.ts';
import type { Lifecycle } from './server-admin.ts';

const defaultFlushIntervalMs = 5000;
/** How often a drain looks whether all connections are gone, milliseconds. */
const drainPollMs = 50;
/** What an answer that is being written gets when the server ends, milliseconds. */
const farewellMs = 20;

/** Whether statistics are flushed when they are asked for, and not by time. */
export function flushesOnAdmin({ statsFlush }: Bootstrap): boolean {
  return statsFlush.case === 'statsFlushOnAdmin' && statsFlush.value;
}

/**
 * A server's life:
 *
 *     PRE_INITIALIZING -> INITIALIZING -> LIVE -> DRAINING -> stopped
 *
 * Clusters that have what they need lead from the first to the second, listeners that have and are bound to LIVE, and
 * `shutdown` drains: no new connections, `connection: close` and GOAWAY on the open ones, then the end once the last stream
 * is finished or the drain time is over.
 */
export class Server implements Lifecycle, TimerTarget {
  state: ServerState = 'PRE_INITIALIZING';
  readonly #built: BuiltServer;
  readonly #log: Logger;
  readonly #flushTimer: Timer;
  readonly #drainTimer: Timer;
  /** Closes listeners when a graceful drain is over. */
  readonly #stopTimer: Timer;
  #stopInboundOnly = false;
  readonly #flushIntervalMs: number;
  readonly #stopped: () => void;
  #admin: AdminListener | null = null;
  #stopping = false;
  #quitting = false;
  #drainDeadlineMs = 0;
  #exitAfterDrain = true;

  /** `stopped` is called once, when everything is closed and written. */
  constructor(built: BuiltServer, stopped: () => void) {
    this.#built = built;
    this.#log = built.context.logs.get('main');
    this.#stopped = stopped;
    this.#flushTimer = built.timers.create(this);
    this.#drainTimer = built.timers.create(this);
    this.#stopTimer = built.timers.create(this);
    this.#flushIntervalMs = durationMs(built.bootstrap.statsFlushInterval, defaultFlushIntervalMs);
  }

  /** The admin listener is closed with the server. */
  attachAdmin(admin: AdminListener): void {
    this.#admin = admin;
  }

  /** Waits for the init targets, then opens the listeners. Rejects when an address cannot be bound. */
  start(): Promise<void> {
    if (!flushesOnAdmin(this.#built.bootstrap)) this.#flushTimer.enable(this.#flushIntervalMs);
    return new Promise((resolve, reject) => {
      const clustersReady = (): void => {
        if (!this.#stopping) this.state = 'INITIALIZING';
      };
      this.#built.init.start(clustersReady, () => {
        if (this.#stopping) return;
        this.#built.context.logs.get('config').info('all dependencies initialized. starting workers');
        this.#built.listeners.start().then(() => {
          if (this.state === 'INITIALIZING') this.state = 'LIVE';
          this.#built.serverStats.initializationTimeMs.record(this.#built.serverStats.uptimeMs());
          this.#log.info('starting main dispatch loop');
          resolve();
        }, reject);
      });
    });
  }

  onTimer(timer: Timer): void {
    if (timer === this.#flushTimer) {
      this.#built.store.flush();
      this.#flushTimer.enable(this.#flushIntervalMs);
      return;
    }
    const { clock, listeners } = this.#built;
    if (timer === this.#stopTimer) {
      listeners.stopAccepting(this.#stopInboundOnly);
      return;
    }
    if (listeners.activeConnections > 0 && clock.nowMs() < this.#drainDeadlineMs) {
      this.#drainTimer.enable(drainPollMs);
      return;
    }
    if (this.#exitAfterDrain) this.#finish();
  }

  /** Drains and ends: SIGTERM. A second call ends at once. */
  shutdown(reason: string): void {
    if (this.#stopping) {
      this.quit();
      return;
    }
    this.#stopping = true;
    const { listeners, drain, clock } = this.#built;
    this.#log.warning(`caught ${reason}: draining ${listeners.activeConnections} connections`);
    this.state = 'DRAINING';
    drain.start('immediate');
    listeners.stopAccepting();
    listeners.drainConnections();
    this.#drainDeadlineMs = clock.nowMs() + drain.drainTimeMs;
    this.#exitAfterDrain = true;
    this.#drainTimer.enable(0);
  }

  /** Ends at once, but for the moment that the answer to POST /quitquitquit needs to go out; also for a second signal. */
  quit(): void {
    if (this.#quitting) return; // signals that keep coming do not put the end off
    this.#quitting = true;
    this.#stopping = true;
    this.#log.warning('shutting down');
    this.#built.listeners.stopAccepting();
    this.#drainDeadlineMs = 0;
    this.#exitAfterDrain = true;
    this.#drainTimer.enable(farewellMs);
  }

  drainListeners({ graceful, skipExit, inboundOnly }: DrainRequest): void {
    const { listeners, drain } = this.#built;
    if (graceful || skipExit) {
      drain.start();
      if (skipExit) return;
    }
    if (graceful) {
      this.#stopInboundOnly = inboundOnly;
      this.#stopTimer.enable(drain.drainTimeMs);
    } else {
      listeners.stopAccepting(inboundOnly);
    }
  }

  #finish(): void {
    const { listeners, clusters, logFiles } = this.#built;
    this.#flushTimer.disable();
    listeners.stopAccepting();
    listeners.closeConnections();
    clusters.close();
    this.#admin?.close();
    this.#log.info('exiting');
    logFiles.drain(() => this.#stopped());
  }
}
