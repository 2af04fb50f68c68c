import { Buffer } from 'node:buffer';
import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import type { Timers } from '#gateway/runtime/timers.ts';
import { isLoopback } from '../loopback.ts';
import { AcmeError } from './acme-error.ts';

/** One answer of an authority. */
export interface AcmeAnswer {
  readonly status: number;
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** How an authority is reached. */
export interface AcmeTransportOptions {
  /** PEM bundle to trust instead of the system's authorities, or null. */
  readonly trustedAuthorities: string | null;
  readonly timers: Timers;
  /** How long one request may take, milliseconds; 30 s when absent. */
  readonly timeoutMs?: number;
}

/** Octets of an answer that are read at most; certificate chains take some 10 KiB. */
const maxAnswerOctets = 1_048_576;
const defaultTimeoutMs = 30_000;

/** HTTPS requests to one authority. Clear text is for loopback addresses only; redirects are not followed. */
export class AcmeTransport {
  readonly #options: AcmeTransportOptions;

  constructor(options: AcmeTransportOptions) {
    this.#options = options;
  }

  /** Throws {@link AcmeError} (`unreachable`, or `settings` for an address that must not be used). */
  async request(
    url: string,
    method: 'GET' | 'HEAD' | 'POST',
    headers: Readonly<Record<string, string>>,
    body: string | null,
  ): Promise<AcmeAnswer> {
    const target = parseUrl(url);
    const octets = body === null ? null : Buffer.from(body);
    const options: RequestOptions & { ca?: string } = {
      method,
      agent: false,
      headers: {
        'user-agent': 'sluice-certs/1',
        'accept-language': 'en',
        ...headers,
        ...(octets === null ? {} : { 'content-length': String(octets.length) }),
      },
    };
    const { trustedAuthorities } = this.#options;
    if (trustedAuthorities !== null && target.protocol === 'https:') options.ca = trustedAuthorities;
    return await new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        timer.disable();
        request.destroy();
        reject(new AcmeError('unreachable', `${method} ${url}: ${reason}`));
      };
      const request = (target.protocol === 'https:' ? https : http).request(target, options, (answer) =>
        this.#read(answer, fail, (done) => {
          timer.disable();
          resolve(done);
        }),
      );
      const timer = this.#options.timers.create({ onTimer: () => fail('no answer in time') });
      timer.enable(this.#options.timeoutMs ?? defaultTimeoutMs);
      request.on('error', (error: NodeJS.ErrnoException) => fail(explain(error)));
      request.end(octets ?? undefined);
    });
  }

  #read(answer: IncomingMessage, fail: (reason: string) => void, done: (answer: AcmeAnswer) => void): void {
    const chunks: Buffer[] = [];
    let octets = 0;
    answer.on('data', (chunk: Buffer) => {
      octets += chunk.length;
      if (octets > maxAnswerOctets) fail(`the answer is longer than ${maxAnswerOctets} octets`);
      else chunks.push(chunk);
    });
    answer.on('error', (error: Error) => fail(error.message));
    answer.on('end', () => {
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(answer.headers)) {
        if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
      }
      done({ status: answer.statusCode ?? 0, headers, text: Buffer.concat(chunks).toString('utf8') });
    });
  }
}

function parseUrl(url: string): URL {
  let target: URL;
  try {
    target = new URL(url);
  } catch {
    throw new AcmeError('settings', `'${url}' is not a URL`);
  }
  if (target.protocol === 'https:') return target;
  if (target.protocol === 'http:' && isLoopback(`${target.hostname}:${target.port === '' ? '80' : target.port}`))
    return target;
  throw new AcmeError('settings', `${url}: ACME is spoken over https only`);
}

function explain(error: NodeJS.ErrnoException): string {
  const text = error.message === '' ? (error.code ?? 'failed') : error.message;
  const untrusted = /self.?signed|unable to (get|verify)|UnknownIssuer|certificate verify/i.test(text);
  return untrusted ? `${text} - name the authority's own CA with --ca FILE` : text;
}
