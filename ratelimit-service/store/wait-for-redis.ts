import type { Cluster, Redis } from 'ioredis';
import type { Logger } from '#gateway/base/log.ts';
import type { Timers } from '#gateway/runtime/timers.ts';

/** How long to wait between attempts at start, milliseconds. */
export interface StartBackoff {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Give up after this long; 0 is never. */
  readonly maxElapsedMs: number;
  /** A server that takes the connection has this long to answer. */
  readonly answerMs: number;
}

/**
 * Connects and waits for the first answer, trying again with growing pauses. Answers false when `stopped` became true
 * meanwhile; throws when the time to try is over.
 */
export async function waitForRedis(
  client: Redis | Cluster,
  url: string,
  backoff: StartBackoff,
  world: { readonly timers: Timers; readonly log: Logger; readonly stopped: () => boolean },
): Promise<boolean> {
  // The error of a refused call only says that there is no connection; why is told by the event.
  let reason: string | null = null;
  const note = (error: Error): void => {
    reason = error.message;
  };
  client.on('error', note);
  let pauseMs = backoff.initialMs;
  let elapsedMs = 0;
  try {
    while (!world.stopped()) {
      try {
        await within(backoff.answerMs, world.timers, firstAnswer(client));
        return true;
      } catch (error) {
        if (world.stopped()) break;
        const message = reason ?? (error as Error).message;
        if (backoff.maxElapsedMs > 0 && elapsedMs >= backoff.maxElapsedMs) {
          throw new Error(`cannot reach redis at ${url}: ${message}`);
        }
        world.log.warning(`Retrying Redis connection to ${url} in ${pauseMs}ms (elapsed: ${elapsedMs}ms): ${message}`);
        await pause(pauseMs, world.timers);
        elapsedMs += pauseMs;
        pauseMs = Math.min(pauseMs * 2, backoff.maxMs);
      }
    }
    return false;
  } finally {
    client.off('error', note);
  }
}

async function firstAnswer(client: Redis | Cluster): Promise<void> {
  if (client.status === 'wait' || client.status === 'end') await client.connect();
  await client.ping();
}

async function within(limitMs: number, timers: Timers, work: Promise<void>): Promise<void> {
  let fail: (error: Error) => void = () => {};
  const late = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const timer = timers.create({ onTimer: () => fail(new Error(`no answer within ${limitMs} ms`)) });
  timer.enable(limitMs);
  try {
    await Promise.race([work, late]);
  } finally {
    timer.disable();
  }
}

async function pause(milliseconds: number, timers: Timers): Promise<void> {
  await new Promise<void>((resolve) => {
    timers.create({ onTimer: () => resolve() }).enable(milliseconds);
  });
}
