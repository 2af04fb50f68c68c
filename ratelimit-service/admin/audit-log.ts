import { closeSync, openSync, writeSync } from 'node:fs';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { AdminFailure } from './admin-failure.ts';
import type { TokenHolder } from './admin-tokens.ts';

/** Who does something. */
export interface Actor {
  readonly holder: TokenHolder;
  /** Address of the peer; '' when it is not known. */
  readonly peer: string;
}

/** Of whoever may write, the owner only. */
const auditMode = 0o600;

/**
 * Every write, one JSON text a line, to a file and to the log. The file is opened for each, so that it may be renamed at any
 * time; when it cannot be opened nothing is done.
 */
export class AuditLog {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;

  /** `path`: ADMIN_AUDIT_LOG, '' for the log only. Throws the system's error when it cannot be written. */
  constructor(path: string, clock: Clock, log: Logger) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    if (path !== '') closeSync(openSync(path, 'a', auditMode));
  }

  /** Does `work` and notes what became of it. Rejects as it does, and with {@link AdminFailure} when it cannot be noted. */
  async write<T>(actor: Actor, action: string, what: object, work: () => Promise<T>): Promise<T> {
    const file = this.#open();
    try {
      const result = await work();
      this.#note(file, actor, action, what, { outcome: 'done', result });
      return result;
    } catch (error) {
      this.#note(file, actor, action, what, { outcome: 'failed', error: (error as Error).message });
      throw error;
    } finally {
      if (file !== null) closeSync(file);
    }
  }

  #open(): number | null {
    if (this.#path === '') return null;
    try {
      return openSync(this.#path, 'a', auditMode);
    } catch (error) {
      throw new AdminFailure(503, `nothing was done, because it cannot be noted: ${(error as Error).message}`);
    }
  }

  #note(file: number | null, { holder, peer }: Actor, action: string, what: object, outcome: object): void {
    const time = new Date(this.#clock.wallMs()).toISOString();
    const who = { name: holder.name, fingerprint: holder.fingerprint, peer };
    const line = JSON.stringify({ time, who, action, ...what, ...outcome });
    this.#log.warning(`admin: ${line}`);
    if (file === null) return;
    try {
      writeSync(file, `${line}\n`);
    } catch (error) {
      this.#log.error(`admin: the audit log could not be written: ${(error as Error).message}`);
    }
  }
}
