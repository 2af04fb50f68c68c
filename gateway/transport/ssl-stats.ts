import type { TlsInfo } from '#gateway/api/connection.ts';
import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';
import type { Identity } from './identity.ts';
import type { StapleAction } from './ocsp-staple.ts';
import type { PeerFailure } from './validator/validate-peer.ts';

/** `listener.<address>.ssl.*` or `cluster.<name>.ssl.*`. */
export class SslStats {
  readonly handshake: Counter;
  readonly connectionError: Counter;
  readonly noCertificate: Counter;
  readonly sessionReused: Counter;
  readonly #scope: Scope;
  readonly #stapleRequests: Counter;
  readonly #staples: Readonly<Record<Exclude<StapleAction, 'unasked'>, Counter>>;
  readonly #failures: Readonly<Record<Exclude<PeerFailure, 'none'>, Counter>>;

  /** `scope` is the listener's or the cluster's. */
  constructor(scope: Scope) {
    const ssl = scope.scope('ssl');
    this.#scope = ssl;
    this.handshake = ssl.counter('handshake');
    this.connectionError = ssl.counter('connection_error');
    this.noCertificate = ssl.counter('no_certificate');
    this.sessionReused = ssl.counter('session_reused');
    this.#failures = {
      no_certificate: ssl.counter('fail_verify_no_cert'),
      key_usage: this.connectionError,
      chain: ssl.counter('fail_verify_error'),
      san: ssl.counter('fail_verify_san'),
      hash: ssl.counter('fail_verify_cert_hash'),
    };
    this.#stapleRequests = ssl.counter('ocsp_staple_requests');
    this.#staples = {
      staple: ssl.counter('ocsp_staple_responses'),
      omit: ssl.counter('ocsp_staple_omitted'),
      fail: ssl.counter('ocsp_staple_failed'),
    };
  }

  /** Counts a refusal of the peer's certificate. */
  refused(failure: PeerFailure): void {
    if (failure !== 'none') this.#failures[failure].inc();
  }

  /** Counts what a client that asks for an OCSP staple gets. */
  staple(action: StapleAction): void {
    if (action === 'unasked') return;
    this.#stapleRequests.inc();
    this.#staples[action].inc();
  }

  /** Counts a handshake that succeeded. */
  succeeded(info: TlsInfo, resumed: boolean): void {
    this.handshake.inc();
    if (resumed) this.sessionReused.inc();
    if (info.peerCertificate === null) this.noCertificate.inc();
    this.#scope.counter(`versions.${info.version}`).inc();
    this.#scope.counter(`ciphers.${info.cipher}`).inc();
  }

  /** `certificate.<name>.expiration_unix_time_seconds` of one of our own certificates. */
  expiration(name: string, identity: Identity): Gauge {
    const gauge = this.#scope.gauge(`certificate.${name}.expiration_unix_time_seconds`);
    gauge.set(Math.floor(identity.leaf.notAfterMs / 1000));
    return gauge;
  }
}

/** `server_ssl_socket_factory.*` or `client_ssl_socket_factory.*`. */
export class SocketFactoryStats {
  readonly contextUpdateBySds: Counter;
  readonly upstreamSecretsNotReady: Counter;
  readonly downstreamSecretsNotReady: Counter;

  constructor(scope: Scope, side: 'server' | 'client') {
    const factory = scope.scope(`${side}_ssl_socket_factory`);
    this.contextUpdateBySds = factory.counter('ssl_context_update_by_sds');
    this.upstreamSecretsNotReady = factory.counter('upstream_context_secrets_not_ready');
    this.downstreamSecretsNotReady = factory.counter('downstream_context_secrets_not_ready');
  }
}
