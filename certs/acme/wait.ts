import type { Timers } from '#gateway/runtime/timers.ts';
import { AcmeError } from './acme-error.ts';

/** Resolves after `delayMs`; rejects with an `aborted` {@link AcmeError} when `signal` goes off first. */
export async function wait(timers: Timers, delayMs: number, signal: AbortSignal | null = null): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = timers.create({
      onTimer: () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      },
    });
    const stop = (): void => {
      timer.disable();
      reject(abortError());
    };
    if (signal?.aborted === true) {
      stop();
      return;
    }
    signal?.addEventListener('abort', stop, { once: true });
    timer.enable(delayMs);
  });
}

/** What is thrown where work stops because its process ends or its lock was lost. */
function abortError(): AcmeError {
  return new AcmeError('aborted', 'stopped: this process is ending or another one took over');
}
