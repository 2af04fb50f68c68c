import { Buffer } from 'node:buffer';
import type { TlsCertificateSecret } from '#gateway/api/secrets.ts';
import { type MemoryHandshake, startMemoryHandshake } from '#gateway/runtime/memory-handshake.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { parseCertificates } from '../validator/certificate.ts';
import { namesOf } from './rehearse-certificate.ts';
import { type Finding, Findings } from './rules.ts';

const longestMs = 2000;
/** What can be sent as a server name: not an address, not a sentence. */
const serverName = /^(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?[a-z_-][a-z0-9_-]*$/;

/** Rehearses a certificate with a real handshake in memory. `told` is called once, never before this returns. */
export function rehearseHandshake(
  secret: Pick<TlsCertificateSecret, 'certificateChain' | 'privateKey'>,
  rotation: boolean,
  timers: Timers,
  told: (findings: readonly Finding[]) => void,
): void {
  new HandshakeRehearsal(secret, rotation, timers, told).start();
}

class HandshakeRehearsal implements TimerTarget {
  readonly #secret: Pick<TlsCertificateSecret, 'certificateChain' | 'privateKey'>;
  readonly #findings: Findings;
  readonly #told: (findings: readonly Finding[]) => void;
  readonly #timer: Timer;
  #handshake: MemoryHandshake | null = null;

  constructor(
    secret: Pick<TlsCertificateSecret, 'certificateChain' | 'privateKey'>,
    rotation: boolean,
    timers: Timers,
    told: (findings: readonly Finding[]) => void,
  ) {
    this.#secret = secret;
    this.#findings = new Findings(rotation);
    this.#told = told;
    this.#timer = timers.create(this);
  }

  start(): void {
    const leaf = parseCertificates(this.#secret.certificateChain)[0]!;
    const name = namesOf(leaf).map((known) => known.replace(/^\*\./, 'www.'))[0] ?? '';
    this.#timer.enable(longestMs);
    this.#handshake = startMemoryHandshake(this.#secret, serverName.test(name) ? name : '', ({ problem, shown }) => {
      this.#timer.disable();
      if (problem !== '') {
        this.#findings.add('handshake', `a handshake with it fails: ${problem}`);
      } else if (shown === null || Buffer.compare(shown, leaf.der) !== 0) {
        this.#findings.add('handshake', 'a handshake with it shows another certificate');
      }
      this.#told(this.#findings.list);
    });
  }

  /** @see TimerTarget */
  onTimer(): void {
    this.#handshake?.cancel();
    this.#findings.add('handshake-slow', `a handshake with it did not end in ${longestMs / 1000} seconds`);
    this.#told(this.#findings.list);
  }
}
