// reflect-metadata must come first: the X.509 library needs it while it loads.
import 'reflect-metadata';
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';
import { createCertificate, type TestCertificate } from './certificates.ts';

/** An answer that a test makes the authority give instead of its own. */
export interface ForcedAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request that came, with its payload opened. */
export interface SeenRequest {
  readonly path: string;
  readonly payload: Record<string, unknown> | null;
}

interface FakeOrder {
  readonly id: string;
  readonly names: readonly string[];
  status: string;
  certificate: string;
}

/**
 * An ACME authority of our own for what Pebble lacks: rate limits, renewal information, errors on demand. It checks no
 * signatures and no challenges; every name counts as proven once its challenge was told ready. Clear text on the loopback address.
 */
export class FakeAuthority {
  readonly seen: SeenRequest[] = [];
  /** Asked before every request; null lets the authority answer itself. */
  force: (path: string) => ForcedAnswer | null = () => null;
  /** What renewal information says; null for none. */
  renewalInfo: ForcedAnswer | null = null;
  /** Life of certificates, milliseconds. */
  lifeMs: number = 90 * 86_400_000;
  nowMs: () => number = Date.now;
  readonly #server: http.Server = http.createServer((request, response) => void this.#serve(request, response));
  readonly #orders = new Map<string, FakeOrder>();
  #authority: TestCertificate | null = null;
  #port = 0;
  #orderCount = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get directoryUrl(): string {
    return `${this.url}/dir`;
  }

  /** Requests to `path` so far. */
  count(path: string): number {
    return this.seen.filter((request) => request.path === path).length;
  }

  async start(): Promise<void> {
    this.#authority = await createCertificate({ name: 'fake authority', ca: true });
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await new Promise<void>((done) => {
      this.#server.close(() => done());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const path = request.url ?? '/';
    const payload = openPayload(text);
    this.seen.push({ path, payload });
    const nonce = randomBytes(12).toString('base64url');
    const answer = this.force(path) ?? (await this.#answer(path, payload));
    const problem = answer.status >= 400;
    const type = typeof answer.body === 'string' ? 'application/pem-certificate-chain' : 'application/json';
    response.writeHead(answer.status, {
      'replay-nonce': nonce,
      'content-type': problem ? 'application/problem+json' : type,
      ...answer.headers,
    });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  }

  async #answer(path: string, payload: Record<string, unknown> | null): Promise<ForcedAnswer> {
    const [, kind = '', id = ''] = path.split('/');
    if (kind === 'dir') return { status: 200, body: this.#directory() };
    if (kind === 'nonce') return { status: 200, body: {} };
    if (kind === 'account') return this.#account();
    if (kind === 'new-order') return this.#newOrder(payload ?? {});
    if (kind === 'renewal-info') return this.renewalInfo ?? { status: 404, body: { detail: 'no such certificate' } };
    const order = this.#orders.get(id);
    if (order === undefined) return { status: 404, body: { detail: 'no such thing' } };
    if (kind === 'order') return { status: 200, body: this.#show(order) };
    if (kind === 'authz') return { status: 200, body: this.#authorization(order) };
    if (kind === 'challenge') {
      order.status = 'ready';
      return { status: 200, body: {} };
    }
    if (kind === 'finalize') {
      await this.#issue(order, String(payload?.['csr']));
      return { status: 200, body: this.#show(order) };
    }
    return { status: 200, body: order.certificate };
  }

  #directory(): unknown {
    const { url } = this;
    return {
      newNonce: `${url}/nonce`,
      newAccount: `${url}/account`,
      newOrder: `${url}/new-order`,
      ...(this.renewalInfo === null ? {} : { renewalInfo: `${url}/renewal-info` }),
      meta: { termsOfService: `${url}/terms` },
    };
  }

  #account(): ForcedAnswer {
    return { status: 201, body: { status: 'valid' }, headers: { location: `${this.url}/account/1` } };
  }

  #newOrder(payload: Record<string, unknown>): ForcedAnswer {
    const id = String(++this.#orderCount);
    const identifiers = payload['identifiers'] as { value: string }[];
    const order = { id, names: identifiers.map(({ value }) => value), status: 'pending', certificate: '' };
    this.#orders.set(id, order);
    return { status: 201, body: this.#show(order), headers: { location: `${this.url}/order/${id}` } };
  }

  #show(order: FakeOrder): unknown {
    const { url } = this;
    return {
      status: order.status,
      identifiers: order.names.map((value) => ({ type: 'dns', value })),
      authorizations: [`${url}/authz/${order.id}`],
      finalize: `${url}/finalize/${order.id}`,
      ...(order.certificate === '' ? {} : { certificate: `${url}/certificate/${order.id}` }),
    };
  }

  #authorization(order: FakeOrder): unknown {
    const status = order.status === 'pending' ? 'pending' : 'valid';
    const token = `token-${order.id}-0123456789abcdef`;
    return {
      status,
      identifier: { type: 'dns', value: order.names[0] },
      challenges: [{ type: 'http-01', status, token, url: `${this.url}/challenge/${order.id}` }],
    };
  }

  async #issue(order: FakeOrder, csr: string): Promise<void> {
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(csr, 'base64url'));
    const issuer = this.#authority!;
    const nowMs = this.nowMs();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomBytes(16).toString('hex').replace(/^./, '4'),
      subject: '',
      issuer: issuer.x509.subject,
      notBefore: new Date(nowMs),
      notAfter: new Date(nowMs + this.lifeMs),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      publicKey: request.publicKey,
      signingKey: issuer.keys.privateKey,
      extensions: [
        new x509.SubjectAlternativeNameExtension(order.names.map((value) => ({ type: 'dns', value }))),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
      ],
    });
    order.certificate = `${certificate.toString('pem')}\n${issuer.certificate}`;
    order.status = 'valid';
  }
}

function openPayload(text: string): Record<string, unknown> | null {
  try {
    const { payload } = JSON.parse(text) as { payload: string };
    return payload === '' ? {} : (JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>);
  } catch {
    return null;
  }
}
