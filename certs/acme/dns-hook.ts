import { spawn } from 'node:child_process';
import type { Logger } from '#gateway/base/log.ts';
import { printable } from '#gateway/base/printable.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { AcmeError } from './acme-error.ts';
import type { ChallengeResponder, PresentedChallenge } from './challenge-responder.ts';
import type { PropagationCheck } from './dns-propagation.ts';
import { wait } from './wait.ts';

/** The command that changes TXT records. */
export interface DnsHookOptions {
  /** Program and its first arguments; no shell reads them. */
  readonly command: readonly string[];
  /** How long one call may take, milliseconds. */
  readonly timeoutMs: number;
  /** How long to wait after `add` before the authority may look, milliseconds; 0 for not at all. */
  readonly waitMs: number;
  /** Asks resolvers for the record before the authority does, or null. */
  readonly propagation: PropagationCheck | null;
  readonly timers: Timers;
  readonly log: Logger;
}

/** Characters of a hook's output that a message shows. */
const maxShown = 300;

/**
 * Answers dns-01 through a command: `COMMAND... add _acme-challenge.NAME VALUE` has to make a TXT record beside those that
 * are there (a name and its wildcard have one each), `COMMAND... remove _acme-challenge.NAME VALUE` takes it away.
 */
export class DnsHook implements ChallengeResponder {
  readonly type = 'dns-01';
  readonly #options: DnsHookOptions;

  constructor(options: DnsHookOptions) {
    this.#options = options;
  }

  async present(challenge: PresentedChallenge): Promise<void> {
    const { timers, waitMs, propagation } = this.#options;
    await this.#call('add', challenge);
    if (waitMs > 0) await wait(timers, waitMs);
    await propagation?.untilVisible(recordName(challenge), challenge.keyAuthorization);
  }

  async remove(challenge: PresentedChallenge): Promise<void> {
    await this.#call('remove', challenge);
  }

  async #call(action: 'add' | 'remove', challenge: PresentedChallenge): Promise<void> {
    const { command, timeoutMs, timers, log } = this.#options;
    const [program = '', ...first] = command;
    const name = recordName(challenge);
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string): void => {
        timer.disable();
        reject(new AcmeError('challenge', `DNS hook '${program}' ${action} ${name}: ${reason}`));
      };
      const child = spawn(program, [...first, action, name, challenge.keyAuthorization], {
        stdio: ['ignore', 'pipe', 'pipe'],
        shell: false,
      });
      let output = '';
      const gather = (chunk: Uint8Array): void => {
        if (output.length < maxShown) output += String(chunk);
      };
      child.stdout.on('data', gather);
      child.stderr.on('data', gather);
      const timer = timers.create({
        onTimer: () => {
          child.kill('SIGKILL');
          fail(`took longer than ${timeoutMs} ms and was killed; see --dns-hook-timeout`);
        },
      });
      timer.enable(timeoutMs);
      child.on('error', (error) => fail(error.message));
      child.on('close', (code, signal) => {
        const said = output === '' ? '' : `: ${printable(output.trim().slice(0, maxShown))}`;
        if (code !== 0) {
          fail(`ended with ${signal ?? `code ${code}`}${said}`);
          return;
        }
        timer.disable();
        log.info(`dns-01: ${action} ${name}`);
        resolve();
      });
    });
  }
}

function recordName(challenge: PresentedChallenge): string {
  return `_acme-challenge.${challenge.domain}`;
}
