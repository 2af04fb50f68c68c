import type { Logger } from '#gateway/base/log.ts';
import { type Clock, systemClock } from '#gateway/runtime/clock.ts';
import { EncodedResponses } from './encoded-responses.ts';
import { SdsJournal } from './sds-journal.ts';
import { SdsPort, type SdsPortOptions } from './sds-port.ts';
import type { SdsStatus } from './sds-status.ts';
import type { SecretResources } from './secret-resources.ts';

/**
 * envoy.service.secret.v3.SecretDiscoveryService over gRPC, on as many addresses as wanted, each with its own guard: a TCP port
 * with mutual TLS, a unix socket for one group of secrets.
 */
export class SdsServer {
  readonly #resources: SecretResources;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #journal = new SdsJournal();
  readonly #responses = new EncodedResponses();
  readonly #ports: SdsPort[] = [];

  constructor(resources: SecretResources, log: Logger, clock: Clock = systemClock) {
    this.#resources = resources;
    this.#log = log;
    this.#clock = clock;
  }

  /** Responses that were encoded so far: a thousand clients in the same state need one. */
  get encodedResponses(): number {
    return this.#responses.encoded;
  }

  /**
   * Listens on `host:port` or `unix:PATH` and answers the port (0 for a unix socket). A unix socket is for its owner only unless
   * `socketMode` says otherwise; one that an earlier process left behind gives way. Rejects when the address cannot be
   * bound, and when what guards it does not.
   */
  async listen(address: string, options: SdsPortOptions = {}): Promise<number> {
    const services = { resources: this.#resources, journal: this.#journal, clock: this.#clock, log: this.#log };
    const port = new SdsPort(options, this.#responses, services);
    const bound = await port.listen(address);
    this.#ports.push(port);
    return bound;
  }

  /** Who is connected, what they have, and what they refused. */
  status(): SdsStatus {
    return this.#journal.status();
  }

  /** Ends every stream and stops listening. */
  close(): void {
    for (const port of this.#ports.splice(0)) port.close();
  }
}
