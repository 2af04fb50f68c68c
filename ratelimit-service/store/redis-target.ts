import type { RedisOptions } from 'ioredis';
import type { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';

/** Certificates for TLS, as text in PEM. */
export interface RedisTls {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** The chain is verified, the name is not. */
  readonly skipHostname: boolean;
}

/** Where and how to reach Redis. */
export interface RedisTarget {
  readonly type: 'single' | 'sentinel' | 'cluster';
  /** `host:port`, a socket's path, `master,host:port,...` for sentinel, `host:port,...` for a cluster. */
  readonly url: string;
  readonly socketType: 'tcp' | 'unix';
  /** `password` or `user:password`; empty for none. */
  readonly auth: string;
  readonly sentinelAuth: string;
  /** Null: no TLS. */
  readonly tls: RedisTls | null;
  /** Longest wait for a connection, milliseconds. */
  readonly timeoutMs: number;
}

/** Longest that a connection which is given up may take to say goodbye, milliseconds. */
const goodbyeMs = 50;

/** What is the same for all kinds of servers. */
type ClientOptions = Omit<
  RedisOptions,
  'replyMapping' | 'host' | 'port' | 'path' | 'sentinels' | 'name' | 'retryStrategy' | 'tls'
> & {
  retryStrategy: () => number;
  tls?: Readonly<Record<string, unknown>>;
};

/** Options of the client: it fails at once while there is no connection, connects by itself and sends nothing twice. */
export function clientOptions(target: RedisTarget, reconnect: JitteredBackoff): ClientOptions {
  const { tls } = target;
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // A server may say that there is a subscription; there is none.
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    // Not before the role is known: sentinels may still name a master that no longer is one.
    enableReadyCheck: target.type === 'sentinel',
    // No greeting: proxies do not know it, and nothing that it offers is used.
    protocol: 2,
    disableClientInfo: true,
    connectTimeout: target.timeoutMs,
    disconnectTimeout: goodbyeMs,
    retryStrategy: () => reconnect.nextMs(),
    ...credentials(target.auth || userInfo(target)),
    ...(tls === null ? {} : { tls: tlsOptions(tls) }),
  };
}

/** Options of `tls.connect`. */
function tlsOptions(tls: RedisTls): Readonly<Record<string, unknown>> {
  return {
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null ? {} : { cert: tls.cert }),
    ...(tls.key === null ? {} : { key: tls.key }),
    ...(tls.skipHostname ? { checkServerIdentity: () => undefined } : {}),
  };
}

/** The first colon ends the user's name, so that a password may contain some; without one it is all password. */
export function credentials(auth: string): { username?: string; password?: string } {
  if (auth === '') return {};
  const colon = auth.indexOf(':');
  if (colon === -1) return { password: auth };
  return { username: auth.slice(0, colon), password: auth.slice(colon + 1) };
}

/** `user:password` in front of the (first) host; '' without. */
function userInfo({ type, socketType, url }: RedisTarget): string {
  if (type === 'sentinel' || socketType === 'unix') return '';
  const [first = ''] = url.split(',');
  return first.slice(0, Math.max(0, first.lastIndexOf('@'))).replace(/^rediss?:\/\//, '');
}

/** Reads `host:port`; `redis://` and a user in front are allowed. */
export function hostPort(text: string): { host: string; port: number } {
  const plain = text
    .trim()
    .replace(/^.*@/, '')
    .replace(/^rediss?:\/\//, '')
    .replace(/\/.*$/, '');
  const colon = plain.lastIndexOf(':');
  if (colon === -1) return { host: plain, port: 6379 };
  return { host: plain.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(plain.slice(colon + 1)) };
}

/** As it may be shown: without user and password. */
export function shownUrl(url: string): string {
  return url
    .split(',')
    .map((part) => part.replace(/^.*@/, '***@'))
    .join(',');
}
