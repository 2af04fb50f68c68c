import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers } from '#gateway/runtime/timers.ts';
import { type CertificateAuthority, intermediateEntry, rootEntry } from './certificate-authority.ts';
import { certifyIntermediate } from './create-authority.ts';
import { CertificateError } from './issued-certificate.ts';
import { describeKey, type KeyAlgorithm } from './key-algorithm.ts';
import { constraintsOf } from './read-name-constraints.ts';
import { defaultRenewalFraction, renewalDelayMs } from './renewal-time.ts';
import { RevocationPublisher } from './revocation-lists.ts';

/** Told that the published revocation lists, or the chain, changed. */
export interface UpkeepListener {
  onAuthorityChanged(): void;
}

/** How often it is looked whether another process revoked something: a stat of one file. */
const lookMs = 2000;
/** How often the rest is looked at when nothing happens. */
const checkMs = 600_000;
/** With this share of its life left, the intermediate is spoken of in the log. */
const warnShare = 0.2;

/**
 * Keeps an authority fit for use: its revocation list is published before it runs out and as soon as something is revoked, by
 * this process or another; its intermediate is renewed while the root's key is at hand, and spoken of when it is not.
 */
export class AuthorityUpkeep {
  readonly #authority: CertificateAuthority;
  readonly #publisher: RevocationPublisher;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listener: UpkeepListener;
  readonly #timer: Timer;
  #nextCheckMs = 0;
  #closed = false;
  #warned = false;

  constructor(
    authority: CertificateAuthority,
    options: { readonly clock: Clock; readonly timers: Timers; readonly log: Logger },
    listener: UpkeepListener,
  ) {
    this.#authority = authority;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#listener = listener;
    this.#publisher = new RevocationPublisher(authority, options.clock);
    this.#timer = options.timers.create({ onTimer: () => void this.#look() });
  }

  /** Does what is due and goes on in the background. Throws what makes it impossible. */
  async start(): Promise<void> {
    await this.check();
    this.#timer.enable(lookMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer.disable();
  }

  async #look(): Promise<void> {
    try {
      const changed = this.#authority.log.refresh();
      if (changed || this.#clock.wallMs() >= this.#nextCheckMs) await this.check();
    } catch (error) {
      this.#log.error(`the upkeep of the certificate authority failed: ${(error as Error).message}`);
    }
    if (!this.#closed) this.#timer.enable(lookMs);
  }

  /** Does what is due now. */
  async check(): Promise<void> {
    this.#authority.reload();
    await this.#renewIntermediate();
    const dueMs = await this.#publisher.dueInMs();
    if (dueMs === 0) {
      const { number, entries, nextUpdateMs } = await this.#publisher.publish();
      const until = new Date(nextUpdateMs).toISOString();
      this.#log.info(`published revocation list ${number}: ${entries} certificates, next update by ${until}`);
    }
    this.#nextCheckMs = this.#clock.wallMs() + Math.min(checkMs, dueMs === 0 ? checkMs : dueMs);
    this.#listener.onAuthorityChanged();
  }

  async #renewIntermediate(): Promise<void> {
    const { store, issuer, hasIntermediate, rootPem } = this.#authority;
    const nowMs = this.#clock.wallMs();
    const { notBeforeMs, notAfterMs } = issuer;
    if (!hasIntermediate || renewalDelayMs(notBeforeMs, notAfterMs, defaultRenewalFraction, nowMs) > 0) return;
    const root = new X509Certificate(rootPem);
    // Renewing cannot carry it beyond the root, so there is an end to it.
    const canGrow = Date.parse(root.validTo) - notAfterMs > 1000;
    const key = canGrow ? this.#rootKey() : null;
    if (key === null) {
      if (!this.#warned && notAfterMs - nowMs < (notAfterMs - notBeforeMs) * warnShare) {
        this.#warned = true;
        const why = canGrow
          ? 'the key of the root is not at hand: run sluice certs init --renew-intermediate'
          : 'so does the root';
        this.#log.warning(`the intermediate authority expires at ${new Date(notAfterMs).toISOString()}; ${why}`);
      }
      return;
    }
    const name = /CN=(.*) intermediate/.exec(new X509Certificate(issuer.chainPem).subject)?.[1] ?? 'sluice';
    const algorithm = describeKey(createPrivateKey(issuer.privateKey.reveal())) as KeyAlgorithm;
    const plan = { name, key: algorithm, lifetimeMs: notAfterMs - notBeforeMs };
    const renewed = await certifyIntermediate(store, key, plan, constraintsOf(this.#authority.issuerPem), nowMs);
    this.#authority.reload();
    this.#log.info(
      `renewed ${store.certificatePath(intermediateEntry)}, valid until ${new Date(renewed.notAfterMs).toISOString()}`,
    );
  }

  /** The root with its key, when that is here and can be read with what this process was given. */
  #rootKey(): ReturnType<CertificateAuthority['store']['load']> {
    try {
      return this.#authority.store.load(rootEntry);
    } catch (error) {
      if (error instanceof CertificateError) return null;
      throw error;
    }
  }
}
