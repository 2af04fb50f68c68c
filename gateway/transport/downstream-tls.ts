import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsInfo } from '#gateway/api/connection.ts';
import type { ClientHello } from '#gateway/protocol/client-hello/client-hello.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { type HandshakeOwner, HandshakeServer, peerChain, refuseSocket } from '#gateway/runtime/tls-sockets.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import { chooseIdentity, chooseProtocol, type IdentityIndex, indexIdentities } from './choose-identity.ts';
import type { CommonTls } from './common-tls.ts';
import { PeerChains } from './peer-chains.ts';
import { SocketFactoryStats, SslStats } from './ssl-stats.ts';
import { tlsInfoOf } from './tls-info.ts';
import { compileMaterial, type TlsMaterial, watchMaterial } from './tls-material.ts';
import { type PeerRules, validatePeer } from './validator/validate-peer.ts';

/** The rest of a DownstreamTlsContext. */
export interface DownstreamTlsOptions {
  readonly requireClientCertificate: boolean;
  /** A client that sends no SNI is turned away. */
  readonly requireSni: boolean;
  readonly fullScanCertsOnSniMismatch: boolean;
  readonly sessionTickets: boolean;
  readonly sessionTimeoutSeconds: number;
}

/** Told the outcome of one downstream handshake: exactly one of the two, once. */
export interface DownstreamHandshakeOwner {
  /** Done, and the peer accepted. No octet has been read from `socket`. */
  onTlsReady(socket: TLSSocket, info: TlsInfo): void;
  /** `reason` is the text of %DOWNSTREAM_TRANSPORT_FAILURE_REASON%. The socket is to be destroyed. */
  onTlsFailure(reason: string): void;
}

/** Everything made from one set of secrets. Handshakes in progress keep theirs when it is replaced. */
class ActiveContext {
  readonly material: TlsMaterial;
  readonly index: IdentityIndex;
  /** By certificate, then ALPN answer ('' is none). Made when first chosen. */
  readonly servers = new Map<string, HandshakeServer>();

  constructor(material: TlsMaterial) {
    this.material = material;
    this.index = indexIdentities(material.identities);
  }
}

/**
 * Downstream TLS of one filter chain. Our own parse of the ClientHello chooses certificate and ALPN answer; each choice is
 * its own handshake server; our own validator judges client certificates before anything is read.
 */
export class DownstreamTls {
  readonly #common: CommonTls;
  readonly #options: DownstreamTlsOptions;
  readonly #clock: Clock;
  readonly #chains = new PeerChains();
  readonly #factoryStats: SocketFactoryStats;
  readonly stats: SslStats;
  #active: ActiveContext | null = null;
  readonly #unwatch: () => void;

  constructor(common: CommonTls, options: DownstreamTlsOptions, scope: Scope, clock: Clock) {
    this.#common = common;
    this.#options = options;
    this.#clock = clock;
    this.stats = new SslStats(scope);
    this.#factoryStats = new SocketFactoryStats(scope, 'server');
    this.#load();
    this.#unwatch = watchMaterial(common, () => {
      this.#factoryStats.contextUpdateBySds.inc();
      this.#load();
    });
  }

  /** False while a secret has not come: connections are closed and counted. */
  get ready(): boolean {
    return this.#active !== null;
  }

  /** Application protocols that the context offers, in its order. */
  get alpn(): readonly string[] {
    return this.#common.alpn;
  }

  /** The secrets in use: /certs. */
  get sources(): Pick<CommonTls, 'certificates' | 'validation' | 'dynamicValidation'> {
    return this.#common;
  }

  /** Stops following the secrets. Connections live on. */
  close(): void {
    this.#unwatch();
  }

  /** Starts the handshake on a socket whose peeked octets were put back. */
  start(raw: Socket, hello: ClientHello, owner: DownstreamHandshakeOwner): void {
    const active = this.#active;
    if (active === null) {
      this.#factoryStats.downstreamSecretsNotReady.inc();
      owner.onTlsFailure('TLS_error: Secret is not supplied by SDS');
      return;
    }
    if (this.#options.requireSni && hello.serverName === '') {
      this.stats.connectionError.inc();
      owner.onTlsFailure('TLS_error: the client sent no server name');
      return;
    }
    const maxTls13 = this.#common.settings.maxVersion === 'TLSv1.3';
    const choice = chooseIdentity(active.index, hello, maxTls13, this.#options.fullScanCertsOnSniMismatch);
    const alpn = chooseProtocol(this.#common.alpn, hello.applicationProtocols);
    const server = this.#server(active, choice, alpn);
    if (server === null) {
      owner.onTlsFailure('TLS_error: the TLS library refuses the certificate');
      return;
    }
    server.start(raw, new DownstreamHandshake(this, active.material, hello.serverName, owner));
  }

  /** Judges a finished handshake. '' when accepted, else why not; counts either way. */
  judge(socket: TLSSocket, material: TlsMaterial, serverName: string, accept: (info: TlsInfo) => void): string {
    const sent = peerChain(socket);
    const rules = material.rules;
    let validated = false;
    if (sent.length === 0) {
      if (needsCertificate(rules, this.#options.requireClientCertificate)) {
        this.stats.refused('no_certificate');
        return 'TLS_error: peer did not return a certificate';
      }
    } else if (rules !== null) {
      const chain = this.#chains.parse(sent);
      const verdict =
        chain === null
          ? ({ failure: 'chain', detail: 'malformed certificate', chainTrusted: false } as const)
          : validatePeer(chain, rules, this.#clock.wallMs());
      if (verdict.failure !== 'none') {
        this.stats.refused(verdict.failure);
        return `TLS_error: CERTIFICATE_VERIFY_FAILED: ${verdict.detail}`;
      }
      if (chain !== null) this.#chains.remember(chain);
      validated = verdict.chainTrusted;
    }
    const info = tlsInfoOf(socket, serverName, sent[0] ?? null, validated);
    this.stats.succeeded(info, socket.isSessionReused());
    accept(info);
    return '';
  }

  #load(): void {
    const material = compileMaterial(this.#common, 'client');
    if (material === null || material.identities.length === 0) return; // what was in force stays
    this.#active = new ActiveContext(material);
    material.identities.forEach((identity, i) => {
      this.stats.expiration(this.#common.certificates[i]!.name, identity);
    });
  }

  #server(active: ActiveContext, choice: number, alpn: string | null): HandshakeServer | null {
    const key = `${choice}/${alpn ?? ''}`;
    let server = active.servers.get(key);
    if (server === undefined) {
      const options = this.#options;
      try {
        server = new HandshakeServer({
          settings: this.#common.settings,
          identity: active.material.identities[choice]!,
          alpn,
          requestClientCertificate: options.requireClientCertificate || asksForCertificate(active.material),
          sessionTickets: options.sessionTickets,
          sessionTimeoutSeconds: options.sessionTimeoutSeconds,
        });
      } catch {
        this.stats.connectionError.inc();
        return null;
      }
      active.servers.set(key, server);
    }
    return server;
  }
}

/**
 * Whether a client without a certificate is turned away, as Envoy has it: `require_client_certificate` works through a
 * trusted CA and is without effect where there is none; names and hashes need a certificate whether or not it is set.
 */
function needsCertificate(rules: PeerRules | null, required: boolean): boolean {
  if (rules === null) return false;
  if (required && rules.anchors !== null) return true;
  const judged = rules.sans.length + rules.fingerprints.length + rules.publicKeyHashes.length > 0;
  return judged && !rules.acceptUntrusted;
}

function asksForCertificate({ rules }: TlsMaterial): boolean {
  if (rules === null) return false;
  return rules.anchors !== null || rules.fingerprints.length > 0 || rules.publicKeyHashes.length > 0;
}

class DownstreamHandshake implements HandshakeOwner {
  readonly #tls: DownstreamTls;
  readonly #material: TlsMaterial;
  readonly #serverName: string;
  readonly #owner: DownstreamHandshakeOwner;

  constructor(tls: DownstreamTls, material: TlsMaterial, serverName: string, owner: DownstreamHandshakeOwner) {
    this.#tls = tls;
    this.#material = material;
    this.#serverName = serverName;
    this.#owner = owner;
  }

  onHandshake(socket: TLSSocket): void {
    const owner = this.#owner;
    const problem = this.#tls.judge(socket, this.#material, this.#serverName, (info) => owner.onTlsReady(socket, info));
    if (problem === '') return;
    refuseSocket(socket);
    owner.onTlsFailure(problem);
  }

  onHandshakeFailure(code: string, message: string): void {
    if (code !== 'ECONNRESET' && code !== 'EPIPE') this.#tls.stats.connectionError.inc();
    this.#owner.onTlsFailure(`TLS_error: ${message.trim()}`);
  }
}
