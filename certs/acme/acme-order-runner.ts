import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from '../ca/issued-certificate.ts';
import { SecretText } from '../ca/secret-text.ts';
import type { AcmeConnection, AcmeOrder, Polled } from './acme-connection.ts';
import { AcmeError, asAcmeError, describeProblem, interruptions } from './acme-error.ts';
import { type CertificateRecord, deleteRecord, type OrderRecord, readRecord, writeRecord } from './acme-records.ts';
import { type AcmeCertificateSettings, sameCertificate } from './acme-settings.ts';
import type { AcmeStorage } from './acme-storage.ts';
import { AuthorizationRunner } from './authorization-runner.ts';
import type { ChallengeResponder } from './challenge-responder.ts';
import { pollUntil } from './poll-until.ts';
import { splitChain } from './preferred-chain.ts';

/** What running orders needs. */
export interface OrderRunnerOptions {
  readonly directoryUrl: string;
  readonly storage: AcmeStorage;
  /** One for each type of challenge that this process can prepare. */
  readonly responders: readonly ChallengeResponder[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

/** An order may take this long in all, milliseconds; authorities keep orders for days, but something is wrong then. */
const orderTimeoutMs = 15 * 60_000;

const resumable: ReadonlySet<string> = new Set(['pending', 'ready', 'processing', 'valid']);

/**
 * Takes one order from its beginning, or from where another process left it, to the stored certificate:
 *
 *   (new | stored) -> pending -> prove every name -> ready -> finalize -> processing -> valid -> certificate
 *
 * The order's address and its key are stored before anything is proven; whoever takes the lock next goes on from there.
 */
export class AcmeOrderRunner {
  readonly #options: OrderRunnerOptions;

  constructor(options: OrderRunnerOptions) {
    this.#options = options;
  }

  /** Throws `AcmeError`, which names the order. `replaces` is the renewed certificate's identifier, or null. */
  async run(
    connection: AcmeConnection,
    settings: AcmeCertificateSettings,
    replaces: string | null,
    signal: AbortSignal,
  ): Promise<CertificateRecord> {
    let subject = `order '${settings.name}' (${settings.dns.join(', ')})`;
    try {
      const responder = this.#responderFor(settings);
      const { record, order } = await this.#begin(connection, settings, replaces);
      subject = `${subject} ${record.url}`;
      return await this.#finish(connection, record, order, responder, signal);
    } catch (error) {
      const failure = asAcmeError(error);
      // What the authority has turned down is not gone on with; what was only interrupted is.
      if (!interruptions.has(failure.kind)) await deleteRecord(this.#options.storage, 'order', settings.name);
      throw failure.about(subject);
    }
  }

  /** Before anything is asked: an order that cannot be proven costs all the same. */
  #responderFor({ challenge }: AcmeCertificateSettings): ChallengeResponder {
    const responder = this.#options.responders.find(({ type }) => type === challenge);
    if (responder !== undefined) return responder;
    const flag = challenge === 'dns-01' ? '--dns-hook COMMAND' : '--challenge';
    throw new AcmeError('settings', `nothing here answers ${challenge}: see ${flag}`);
  }

  async #begin(
    connection: AcmeConnection,
    settings: AcmeCertificateSettings,
    replaces: string | null,
  ): Promise<{ record: OrderRecord; order: AcmeOrder }> {
    const { storage, directoryUrl, log } = this.#options;
    const resumed = await this.#resume(connection, settings);
    if (resumed !== null) return resumed;
    const { createKey } = await import('./signing-request.ts');
    const order = await this.#create(connection, settings, replaces);
    const key = await createKey(settings.keyType);
    const record: OrderRecord = { settings, directory: directoryUrl, url: order.url, key: key.reveal() };
    await writeRecord(storage, 'order', settings.name, record);
    log.info(`order '${settings.name}': ${order.url} for ${settings.dns.join(', ')}`);
    return { record, order };
  }

  async #create(
    connection: AcmeConnection,
    settings: AcmeCertificateSettings,
    replaces: string | null,
  ): Promise<AcmeOrder> {
    try {
      return await connection.createOrder(settings.dns, replaces, settings.profile);
    } catch (error) {
      // RFC 9773 section 5: a predecessor that was renewed already, or that the authority does not know, is left out.
      if (replaces === null || !(error instanceof AcmeError) || !/alreadyReplaced|malformed/.test(error.problem))
        throw error;
      return await connection.createOrder(settings.dns, null, settings.profile);
    }
  }

  async #resume(
    connection: AcmeConnection,
    settings: AcmeCertificateSettings,
  ): Promise<{ record: OrderRecord; order: AcmeOrder } | null> {
    const { storage, directoryUrl, log } = this.#options;
    const record = await readRecord(storage, 'order', settings.name);
    if (record === null || record.directory !== directoryUrl || !sameCertificate(record.settings, settings))
      return null;
    try {
      const { value: order } = await connection.getOrder(record.url);
      if (!resumable.has(order.status)) return null;
      log.info(`order '${settings.name}': going on with ${record.url}, which is ${order.status}`);
      return { record, order };
    } catch (error) {
      // An authority forgets orders; it may also be out of reach, which is another matter.
      if (error instanceof AcmeError && error.kind === 'unreachable') throw error;
      return null;
    }
  }

  async #finish(
    connection: AcmeConnection,
    record: OrderRecord,
    begun: AcmeOrder,
    responder: ChallengeResponder,
    signal: AbortSignal,
  ): Promise<CertificateRecord> {
    const { storage, clock, timers, log } = this.#options;
    const { settings } = record;
    const limits = { clock, timers, endMs: clock.nowMs() + orderTimeoutMs, signal };
    const look = (): Promise<Polled<AcmeOrder>> => connection.getOrder(begun.url);
    let order = begun;
    if (order.status === 'pending') {
      await new AuthorizationRunner(connection, responder, limits, log).proveAll(order.authorizations);
      order = await pollUntil(look, ({ status }) => status !== 'pending', limits);
    }
    if (order.status === 'ready') {
      const { createSigningRequest } = await import('./signing-request.ts');
      const request = await createSigningRequest(settings.dns, settings.keyType, new SecretText(record.key));
      await connection.finalize(order, request);
      order = await pollUntil(look, ({ status }) => status !== 'ready' && status !== 'processing', limits);
    } else if (order.status === 'processing') {
      order = await pollUntil(look, ({ status }) => status !== 'processing', limits);
    }
    if (order.status !== 'valid' || order.certificate === undefined) {
      const why = order.error === undefined ? '' : `: ${describeProblem(order.error)}`;
      throw new AcmeError('refused', `the order ended as ${order.status}${why}`);
    }
    const chain = await connection.certificate(order.certificate, settings.preferredChain);
    const issued = this.#check(chain, record);
    if (signal.aborted) throw new AcmeError('aborted', 'stopped before the certificate was stored');
    const certificate = { settings, directory: record.directory, chain: normalise(chain), key: record.key };
    await writeRecord(storage, 'certificate', settings.name, certificate);
    await deleteRecord(storage, 'order', settings.name);
    log.info(
      `certificate '${settings.name}' issued, serial ${issued.serial}, valid until ${new Date(issued.notAfterMs).toISOString()}`,
    );
    return certificate;
  }

  /** What came has to fit what was asked for: the key, the names, the dates. */
  #check(chain: string, record: OrderRecord): IssuedCertificate {
    const { clock } = this.#options;
    try {
      const issued = readIssuedCertificate(normalise(chain), record.key);
      if (!issued.covers(record.settings.dns, []))
        throw new AcmeError('refused', `the certificate is for ${issued.names}`);
      if (issued.notAfterMs <= clock.wallMs()) throw new AcmeError('refused', 'the certificate has already expired');
      return issued;
    } catch (error) {
      if (!(error instanceof AcmeError) && error instanceof CertificateError)
        throw new AcmeError('refused', error.message, { cause: error });
      throw error;
    }
  }
}

/** Certificates only, one after the other: no text between them, and one line end at the end. */
function normalise(chain: string): string {
  return `${splitChain(chain).join('\n')}\n`;
}
