import type { Buffer } from 'node:buffer';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Logger } from '#gateway/base/log.ts';
import { printable } from '#gateway/base/printable.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { OfferedSecrets } from './offered-secrets.ts';
import type { SdsJournal } from './sds-journal.ts';
import type { SdsRefusal, SdsStreamStatus } from './sds-status.ts';
import type { SecretResources, SecretResourcesListener } from './secret-resources.ts';
import type { Subscription } from './subscription.ts';

const maxNackCharacters = 1000;

/** Who is at the other end of a stream. */
export interface SdsPeer {
  readonly address: string;
  readonly identity: readonly string[];
  /** Why its certificate does not count any more: expired or revoked since; '' while it does. */
  problem(): string;
}

/** What the streams of a server share. */
export interface SdsStreamServices {
  readonly resources: SecretResources;
  readonly journal: SdsJournal;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * One client's stream. What is due is sent as it is at the moment of sending, and not before the client has taken what went
 * before: a slow client skips versions and holds no memory.
 */
export class SdsStream<Request extends { readonly node?: Node | undefined }> implements SecretResourcesListener {
  readonly #call: ServerDuplexStream<Request, Buffer>;
  readonly #kind: 'stream' | 'delta';
  readonly #subscription: Subscription<Request>;
  readonly #secrets: OfferedSecrets;
  readonly #peer: SdsPeer;
  readonly #services: SdsStreamServices;
  readonly #since: string;
  #node = '';
  #blocked = false;
  #ended = false;
  #acknowledged = '';
  #refused: SdsRefusal | null = null;
  #toldDenied = false;

  constructor(
    call: ServerDuplexStream<Request, Buffer>,
    kind: 'stream' | 'delta',
    subscription: Subscription<Request>,
    secrets: OfferedSecrets,
    peer: SdsPeer,
    services: SdsStreamServices,
  ) {
    this.#call = call;
    this.#kind = kind;
    this.#subscription = subscription;
    this.#secrets = secrets;
    this.#peer = peer;
    this.#services = services;
    this.#since = new Date(services.clock.wallMs()).toISOString();
    services.resources.subscribe(this);
    services.journal.opened(this);
    call.on('data', (request: Request) => this.#onRequest(request));
    call.on('drain', () => {
      this.#blocked = false;
      this.#send();
    });
    call.on('end', () => {
      this.#forget();
      call.end();
    });
    call.on('cancelled', () => this.#forget());
    call.on('close', () => this.#forget());
    call.on('error', (error: Error) => {
      this.#forget();
      if (services.log.debugOn) services.log.debug(`${this.#name}: ${printable(error.message)}`);
    });
  }

  /** @see SecretResourcesListener */
  onSecretChanged(name: string): void {
    if (this.#subscription.onSecretChanged(name)) this.#send();
  }

  status(): SdsStreamStatus {
    const { wanted, sent } = this.#subscription;
    return {
      peer: this.#peer.address,
      identity: this.#peer.identity,
      node: this.#node,
      kind: this.#kind,
      wants: wanted,
      denied: this.#denied(),
      since: this.#since,
      sent: sent?.version ?? '',
      acknowledged: this.#acknowledged,
      refused: this.#refused,
    };
  }

  #onRequest(request: Request): void {
    if (request.node !== undefined && this.#node === '') this.#node = request.node.id.slice(0, 256);
    const subscription = this.#subscription;
    const before = subscription.sent;
    const due = subscription.onRequest(request);
    const { log, journal, clock } = this.#services;
    if (subscription.verdict === 'nack') {
      const message = subscription.nackMessage.slice(0, maxNackCharacters);
      this.#refused = { version: before?.version ?? '', at: new Date(clock.wallMs()).toISOString(), message };
      journal.refused(this.status());
      log.warning(`${this.#name}: NACK ${this.#wanted}, version ${before?.version}: ${printable(message)}`);
    } else if (subscription.verdict === 'ack') {
      this.#acknowledged = before?.version ?? '';
      this.#refused = null;
      log.info(`${this.#name}: ACK ${this.#wanted}, version ${this.#acknowledged}`);
    }
    const denied = this.#toldDenied ? [] : this.#denied();
    if (denied.length > 0) {
      this.#toldDenied = true;
      log.warning(`${this.#name}: not allowed: ${printable(denied.join(', '))}`);
    }
    if (due) this.#send();
  }

  #send(): void {
    if (this.#blocked || this.#ended) return;
    const problem = this.#peer.problem();
    if (problem !== '') {
      // It comes back with the certificate that it has now, and is judged by that.
      this.#ended = true;
      this.#services.log.warning(`${this.#name}: ended: ${printable(problem)}`);
      this.#call.emit('error', { code: status.UNAUTHENTICATED, details: problem });
      return;
    }
    const response = this.#subscription.next();
    if (response === null) return;
    this.#blocked = !this.#call.write(response.octets);
    this.#services.log.info(`${this.#name}: sent ${this.#wanted}, version ${response.version} nonce ${response.nonce}`);
  }

  #denied(): string[] {
    return (this.#subscription.wanted ?? []).filter((name) => !this.#secrets.allows(name));
  }

  #forget(): void {
    this.#services.resources.unsubscribe(this);
    this.#services.journal.closed(this);
  }

  get #name(): string {
    return `${this.#kind} ${this.#peer.address}`;
  }

  get #wanted(): string {
    return printable(this.#subscription.wanted?.join(', ') ?? '(all)');
  }
}
