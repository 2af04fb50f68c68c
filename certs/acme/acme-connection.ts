// acme-client needs reflect-metadata before it loads. Both take some 100 ms, so this file is imported when the first request
// to an authority is due.
import 'reflect-metadata';
import acme from 'acme-client';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { SecretText } from '../ca/secret-text.ts';
import { AcmeError, type AcmeProblemDocument, problemError, problemName } from './acme-error.ts';
import type { AcmeAnswer, AcmeTransport } from './acme-transport.ts';
import { chooseChain, parseAlternates } from './preferred-chain.ts';
import { parseRetryAfter } from './retry-after.ts';

/** State of an order. RFC 8555 section 7.1.3. */
export interface AcmeOrder {
  readonly url: string;
  readonly status: string;
  readonly identifiers: readonly { readonly type: string; readonly value: string }[];
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: AcmeProblemDocument;
}

/** One way to prove a name. RFC 8555 section 7.1.5. */
export interface AcmeChallenge {
  readonly type: string;
  readonly url: string;
  readonly status: string;
  readonly token: string;
  readonly error?: AcmeProblemDocument;
}

/** What has to be proven about one name. RFC 8555 section 7.1.4. */
export interface AcmeAuthorization {
  readonly url: string;
  readonly status: string;
  readonly identifier: { readonly type: string; readonly value: string };
  readonly wildcard?: boolean;
  readonly challenges: readonly AcmeChallenge[];
}

/** An answer with how long the authority wants to be left alone before the next look; null when it did not say. */
export interface Polled<T> {
  readonly value: T;
  readonly retryAfterMs: number | null;
}

/** External account binding: what the authority handed out. RFC 8555 section 7.3.4. */
export interface ExternalAccount {
  readonly kid: string;
  /** base64url. */
  readonly hmacKey: SecretText;
}

/** What an authority says about itself. RFC 8555 section 7.1.1. */
export interface AcmeDirectory {
  readonly termsOfService: string | null;
  readonly externalAccountRequired: boolean;
  /** Base of renewal information, RFC 9773; null where it is not offered. */
  readonly renewalInfo: string | null;
  readonly profiles: readonly string[];
}

/** How a connection is made. */
export interface AcmeConnectionOptions {
  readonly directoryUrl: string;
  /** PEM. */
  readonly accountKey: SecretText;
  /** Null before registration. */
  readonly accountUrl: string | null;
  readonly externalAccount: ExternalAccount | null;
  readonly transport: AcmeTransport;
  readonly clock: Clock;
}

/** Nonces are refused now and then (RFC 8555 section 6.5); this many times in a row means that something is wrong. */
const maxNonceRefusals = 15;

interface ClientAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: unknown;
}

/** The parts of acme-client below its public methods: its public ones drop headers and wait on timers of their own. */
interface ClientParts {
  readonly http: {
    maxBadNonceRetries: number;
    request(url: string, method: string, options?: { data?: unknown }): Promise<ClientAnswer>;
    getDirectory(): Promise<Record<string, unknown>>;
  };
  readonly api: {
    apiRequest(url: string, payload: object | null, statuses: readonly number[]): Promise<ClientAnswer>;
    apiResourceRequest(resource: string, payload: object, statuses: readonly number[]): Promise<ClientAnswer>;
  };
}

/**
 * One account's conversation with one authority: signing, nonces and account binding are acme-client's; requests, errors,
 * Retry-After and waiting are ours. Every method throws {@link AcmeError}.
 */
export class AcmeConnection {
  readonly #options: AcmeConnectionOptions;
  readonly #client: acme.Client;
  readonly #parts: ClientParts;

  constructor(options: AcmeConnectionOptions) {
    this.#options = options;
    this.#client = new acme.Client({
      directoryUrl: options.directoryUrl,
      accountKey: options.accountKey.reveal(),
      ...(options.accountUrl === null ? {} : { accountUrl: options.accountUrl }),
      ...(options.externalAccount === null
        ? {}
        : {
            externalAccountBinding: {
              kid: options.externalAccount.kid,
              hmacKey: options.externalAccount.hmacKey.reveal(),
            },
          }),
    });
    this.#parts = this.#client as unknown as ClientParts;
    this.#parts.http.maxBadNonceRetries = maxNonceRefusals;
    this.#parts.http.request = (url, method, more) => this.#request(url, method, more?.data);
  }

  /** What the authority offers. */
  async directory(): Promise<AcmeDirectory> {
    const directory = await this.#parts.http.getDirectory();
    const meta = (directory['meta'] ?? {}) as Record<string, unknown>;
    return {
      termsOfService: typeof meta['termsOfService'] === 'string' ? meta['termsOfService'] : null,
      externalAccountRequired: meta['externalAccountRequired'] === true,
      renewalInfo: typeof directory['renewalInfo'] === 'string' ? directory['renewalInfo'] : null,
      profiles: typeof meta['profiles'] === 'object' && meta['profiles'] !== null ? Object.keys(meta['profiles']) : [],
    };
  }

  /** Registers the key, or finds or updates the account it already has; answers the account's URL. */
  async register(contacts: readonly string[]): Promise<string> {
    await this.#client.createAccount({
      termsOfServiceAgreed: true,
      contact: contacts.map((contact) => `mailto:${contact}`),
    });
    return this.#client.getAccountUrl();
  }

  /** Begins an order. `replaces` names the certificate that it renews (RFC 9773 section 5). */
  async createOrder(names: readonly string[], replaces: string | null, profile: string | null): Promise<AcmeOrder> {
    const answer = await this.#parts.api.apiResourceRequest(
      'newOrder',
      {
        identifiers: names.map((value) => ({ type: 'dns', value })),
        ...(replaces === null ? {} : { replaces }),
        ...(profile === null ? {} : { profile }),
      },
      [201, 200],
    );
    const url = answer.headers['location'];
    if (url === undefined) throw new AcmeError('unreachable', 'the authority gave a new order no address');
    return { ...(answer.data as AcmeOrder), url };
  }

  async getOrder(url: string): Promise<Polled<AcmeOrder>> {
    const polled = await this.#poll<AcmeOrder>(url);
    return { ...polled, value: { ...polled.value, url } };
  }

  async getAuthorization(url: string): Promise<Polled<AcmeAuthorization>> {
    const polled = await this.#poll<AcmeAuthorization>(url);
    return { ...polled, value: { ...polled.value, url } };
  }

  /** Gives up a name that was not proven, so that it does not count as pending. */
  async deactivateAuthorization(url: string): Promise<void> {
    await this.#parts.api.apiRequest(url, { status: 'deactivated' }, [200]);
  }

  /** `TOKEN.THUMBPRINT` for http-01 and tls-alpn-01; the TXT record's text for dns-01. RFC 8555 section 8.1. */
  async keyAuthorization(challenge: AcmeChallenge): Promise<string> {
    return await this.#client.getChallengeKeyAuthorization(challenge as never);
  }

  /** Says that a challenge can be looked at. */
  async completeChallenge(challenge: AcmeChallenge): Promise<void> {
    await this.#parts.api.apiRequest(challenge.url, {}, [200]);
  }

  /** Sends the signing request, PEM. */
  async finalize(order: AcmeOrder, requestPem: string): Promise<void> {
    await this.#client.finalizeOrder(order as never, requestPem);
  }

  /** Chain in PEM: the one that leads to the issuer of this common name where several are offered, else the first. */
  async certificate(url: string, preferredChain: string | null): Promise<string> {
    const first = await this.#parts.api.apiRequest(url, null, [200]);
    const chains = [String(first.data)];
    if (preferredChain !== null) {
      for (const link of parseAlternates(first.headers['link'] ?? '', url)) {
        chains.push(String((await this.#parts.api.apiRequest(link, null, [200])).data));
      }
    }
    return chooseChain(chains, preferredChain);
  }

  /** An unsigned request: renewal information. */
  async get(url: string): Promise<Polled<unknown>> {
    const answer = await this.#request(url, 'get', undefined);
    return { value: answer.data, retryAfterMs: this.#retryAfter(answer) };
  }

  async #poll<T>(url: string): Promise<Polled<T>> {
    const answer = await this.#parts.api.apiRequest(url, null, [200]);
    return { value: answer.data as T, retryAfterMs: this.#retryAfter(answer) };
  }

  #retryAfter(answer: { readonly headers: Readonly<Record<string, string>> }): number | null {
    return parseRetryAfter(answer.headers['retry-after'], this.#options.clock.wallMs());
  }

  async #request(url: string, method: string, body: unknown): Promise<ClientAnswer> {
    const signed = body !== undefined;
    const answer = await this.#options.transport.request(
      url,
      signed ? 'POST' : method === 'head' ? 'HEAD' : 'GET',
      signed ? { 'content-type': 'application/jose+json' } : {},
      signed ? JSON.stringify(body) : null,
    );
    const data = parseBody(answer);
    if (answer.status >= 200 && answer.status < 300) return { status: answer.status, headers: answer.headers, data };
    const document = (typeof data === 'object' && data !== null ? data : {}) as AcmeProblemDocument;
    // The one failure that acme-client deals with itself: it signs anew with the nonce of this answer.
    if (answer.status === 400 && problemName(document) === 'badNonce')
      return { status: answer.status, headers: answer.headers, data };
    throw problemError(url, answer.status, document, this.#retryAfter(answer));
  }
}

function parseBody(answer: AcmeAnswer): unknown {
  if (answer.text === '' || !/json/i.test(answer.headers['content-type'] ?? '')) return answer.text;
  try {
    return JSON.parse(answer.text) as unknown;
  } catch {
    if (answer.status >= 400) return answer.text; // a proxy's error page: the status says enough
    throw new AcmeError(
      'unreachable',
      `the authority's answer (HTTP ${answer.status}) is not the JSON it claims to be`,
    );
  }
}
