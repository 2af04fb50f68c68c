import type { TlsInfo } from '#gateway/api/connection.ts';
import type { SecretSource } from '#gateway/api/secrets.ts';
import { certificateFacts } from '#gateway/formatter/peer-certificate.ts';
import { type ClientHello, TlsVersion } from '#gateway/protocol/client-hello/client-hello.ts';
import type { ByteSocket, SecureSocket } from '#gateway/runtime/byte-socket.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { type HandshakeOwner, HandshakeServer, peerChain, refuseSocket } from '#gateway/runtime/tls-sockets.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import { chooseIdentity, chooseProtocol, type IdentityIndex, indexIdentities } from './choose-identity.ts';
import type { CommonTls } from './common-tls.ts';
import type { Identity } from './identity.ts';
import { missingStaple, type StaplePolicy, stapleAction } from './ocsp-staple.ts';
import { PeerChains } from './peer-chains.ts';
import { SocketFactoryStats, SslStats } from './ssl-stats.ts';
import {
  libraryFailureText,
  missingCertificateText,
  secretMissingText,
  tlsFailureText,
  verdictText,
} from './tls-failure-text.ts';
import { failedTlsInfo, type HandshakeFacts, tlsInfoOf } from './tls-info.ts';
import { compileMaterial, type TlsMaterial, watchMaterial } from './tls-material.ts';
import { asksForCertificate, malformedPeer, needsCertificate, validatePeer } from './validator/validate-peer.ts';

/** The rest of a DownstreamTlsContext. */
export interface DownstreamTlsOptions {
  readonly requireClientCertificate: boolean;
  /** A client that sends no SNI, or one that no certificate is for, is turned away. (Envoy does nothing with it.) */
  readonly requireSni: boolean;
  readonly fullScanCertsOnSniMismatch: boolean;
  readonly sessionTickets: boolean;
  readonly sessionTimeoutSeconds: number;
  /** Seal session tickets, or null: each handshake server has keys of its own. */
  readonly ticketKeys: SecretSource<{ readonly octets: Uint8Array }> | null;
  readonly staplePolicy: StaplePolicy;
  readonly preferClientCiphers: boolean;
}

/** Told the outcome of one downstream handshake: exactly one of the two, once. */
export interface DownstreamHandshakeOwner {
  /** Done, and the peer accepted. No octet has been read from `socket`. */
  onTlsReady(socket: SecureSocket, info: TlsInfo): void;
  /**
   * `reason` is the text of %DOWNSTREAM_TRANSPORT_FAILURE_REASON%, '' when the peer just went; `info` is what was known by
   * then, or null. The socket is to be destroyed.
   */
  onTlsFailure(reason: string, info: TlsInfo | null): void;
}

const rejectedText: string = tlsFailureText('CONNECTION_REJECTED');
/** Alerts of RFC 8446 section 6. */
const alertHandshakeFailure = 40;
const alertUnrecognizedName = 112;
const none: ReadonlySet<number> = new Set();

/** Everything made from one set of secrets. Handshakes in progress keep theirs when it is replaced. */
class ActiveContext {
  readonly material: TlsMaterial;
  readonly index: IdentityIndex;
  /** By certificate, then ALPN answer ('' is none). Made when first chosen. */
  readonly servers = new Map<string, HandshakeServer>();

  /** Whether a certificate may be withheld from a client for want of a fresh OCSP staple. */
  readonly demandsStaples: boolean;

  readonly ticketKeys: Uint8Array | null;

  constructor(material: TlsMaterial, policy: StaplePolicy, ticketKeys: Uint8Array | null) {
    this.material = material;
    this.ticketKeys = ticketKeys;
    this.index = indexIdentities(material.identities);
    this.demandsStaples = material.identities.some(
      ({ staple, mustStaple }) => mustStaple || policy === 'must' || (policy === 'strict' && staple !== null),
    );
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
    const onSecret = (): void => {
      this.#factoryStats.contextUpdateBySds.inc();
      this.#load();
    };
    const keys = { onSecret };
    options.ticketKeys?.subscribe(keys);
    const unwatch = watchMaterial(common, onSecret);
    this.#unwatch = () => {
      options.ticketKeys?.unsubscribe(keys);
      unwatch();
    };
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

  /** All secrets that it cannot do without. */
  get secrets(): readonly SecretSource<unknown>[] {
    const { certificates, dynamicValidation } = this.#common;
    const { ticketKeys } = this.#options;
    return [...certificates, dynamicValidation, ticketKeys].filter((source) => source !== null);
  }

  /** Stops following the secrets. Connections live on. */
  close(): void {
    this.#unwatch();
  }

  /** Starts the handshake on a socket whose peeked octets were put back. */
  start(raw: ByteSocket, hello: ClientHello, owner: DownstreamHandshakeOwner): void {
    const active = this.#active;
    if (active === null) {
      this.#factoryStats.downstreamSecretsNotReady.inc();
      owner.onTlsFailure(secretMissingText, null);
      return;
    }
    const choice = this.#choice(active, hello);
    if (choice === -1) {
      this.#turnAway(raw, hello, alertUnrecognizedName, owner);
      return;
    }
    const identity = active.material.identities[choice]!;
    const staple = stapleAction(identity, this.#options.staplePolicy, hello, this.#clock.wallMs());
    this.stats.staple(staple);
    if (staple === 'fail') {
      this.#turnAway(raw, hello, alertHandshakeFailure, owner);
      return;
    }
    const alpn = chooseProtocol(this.#common.alpn, hello.applicationProtocols);
    const server = this.#server(active, choice, alpn, staple === 'staple');
    if (server === null) {
      owner.onTlsFailure('TLS_error: the TLS library refuses the certificate', null);
      return;
    }
    server.start(raw, new DownstreamHandshake(this, active.material, choice, hello, owner));
  }

  /** What is logged of a client whose first octets are no ClientHello. */
  strangerInfo(): TlsInfo {
    const local = this.#active?.material.identities[0]?.leaf.der ?? null;
    return failedTlsInfo(null, 'TLSv1.2', { serverName: '', peerChain: [], peerIssuer: null, localCertificate: local });
  }

  /** What is logged of a handshake that came to no end. */
  unfinishedInfo(hello: ClientHello): TlsInfo {
    const active = this.#active;
    const identity = active === null ? null : active.material.identities[this.#choice(active, hello)];
    return failedTlsInfo(null, this.expectedVersion(hello), factsOf(hello, identity ?? null));
  }

  /** The version that a handshake with this client would agree on; of a failed one that is all that is known. */
  expectedVersion(hello: ClientHello): string {
    const { minVersion, maxVersion } = this.#common.settings;
    const low = TlsVersion[wireNames[minVersion]];
    const high = TlsVersion[wireNames[maxVersion]];
    let best = 0;
    for (const version of hello.versions) if (version >= low && version <= high && version > best) best = version;
    for (const [name, key] of Object.entries(wireNames)) if (TlsVersion[key] === best) return name;
    return 'TLSv1.2';
  }

  /** Judges a finished handshake and counts it; the owner is told, last. */
  judge(socket: SecureSocket, material: TlsMaterial, facts: HandshakeFacts, owner: DownstreamHandshakeOwner): void {
    const sent = facts.peerChain;
    const rules = material.rules;
    let validated = false;
    let peerChain = sent;
    let peerIssuer: Uint8Array | null = null;
    if (sent.length === 0) {
      if (needsCertificate(rules, this.#options.requireClientCertificate)) {
        this.stats.refused('no_certificate');
        refuse(socket, facts, owner, missingCertificateText);
        return;
      }
    } else if (rules !== null) {
      const resumed = socket.isSessionReused();
      const tls13 = socket.getProtocol() === 'TLSv1.3';
      const chain = this.#chains.parse(sent, resumed);
      const verdict = chain === null ? malformedPeer : validatePeer(chain, rules, this.#clock.wallMs(), tls13);
      // What a peer is let in with all the same is counted once, not for each resumption.
      if (!resumed || verdict.failure !== 'none') this.stats.refused(verdict.counted);
      if (verdict.failure !== 'none') {
        refuse(socket, facts, owner, verdictText(verdict, certificateFacts(sent[0])?.names ?? []));
        return;
      }
      this.#chains.remember(verdict.path);
      peerChain = this.#chains.shown(sent, resumed, verdict.path);
      peerIssuer = verdict.path[1]?.der ?? null;
      validated = verdict.chainTrusted;
    }
    const info = tlsInfoOf(socket, { ...facts, peerChain, peerIssuer }, validated);
    this.stats.succeeded(info, socket.isSessionReused());
    owner.onTlsReady(socket, info);
  }

  // There is no certificate for this client: it is told so before the TLS library sees it.
  #turnAway(raw: ByteSocket, hello: ClientHello, alert: number, owner: DownstreamHandshakeOwner): void {
    this.stats.connectionError.inc();
    raw.write(Uint8Array.of(0x15, 3, 1, 0, 2, 2, alert));
    owner.onTlsFailure(rejectedText, failedTlsInfo(null, this.expectedVersion(hello), factsOf(hello, null)));
  }

  #choice(active: ActiveContext, hello: ClientHello): number {
    return chooseIdentity(active.index, hello, {
      maxTls13: this.#common.settings.maxVersion === 'TLSv1.3',
      fullScan: this.#options.fullScanCertsOnSniMismatch,
      requireName: this.#options.requireSni,
      unusable: active.demandsStaples ? this.#unstapled(active, hello) : none,
    });
  }

  // Certificates that this client, who asks for a staple, must not get for want of a fresh one.
  #unstapled(active: ActiveContext, hello: ClientHello): ReadonlySet<number> {
    const { staplePolicy } = this.#options;
    const nowMs = this.#clock.wallMs();
    const unusable = new Set<number>();
    active.material.identities.forEach((identity, i) => {
      if (stapleAction(identity, staplePolicy, hello, nowMs) === 'fail') unusable.add(i);
    });
    return unusable;
  }

  #load(): void {
    const material = compileMaterial(this.#common, 'client');
    if (material === null || material.identities.length === 0) return; // what was in force stays
    const { staplePolicy, ticketKeys } = this.#options;
    if (ticketKeys !== null && ticketKeys.current === null) return;
    if (material.identities.some((identity) => missingStaple(identity, staplePolicy) !== '')) return;
    this.#active = new ActiveContext(material, staplePolicy, ticketKeys?.current?.octets ?? null);
    material.identities.forEach((identity, i) => {
      this.stats.expiration(this.#common.certificates[i]!.name, identity);
    });
  }

  #server(active: ActiveContext, choice: number, alpn: string | null, stapled: boolean): HandshakeServer | null {
    const key = `${choice}${stapled ? 's' : '/'}${alpn ?? ''}`;
    let server = active.servers.get(key);
    if (server === undefined) {
      const options = this.#options;
      const { keyLog } = this.#common;
      const identity = active.material.identities[choice]!;
      try {
        server = new HandshakeServer({
          settings: this.#common.settings,
          identity,
          alpn,
          requestClientCertificate: asksForCertificate(active.material.rules),
          sessionTickets: options.sessionTickets,
          sessionTimeoutSeconds: options.sessionTimeoutSeconds,
          preferClientCiphers: options.preferClientCiphers,
          ticketKeys: active.ticketKeys,
          ocspStaple: stapled ? identity.staple!.der : null,
          keyLog: keyLog === null ? null : (line, raw) => keyLog.log(line, raw),
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

const wireNames = { TLSv1: 'Tls10', 'TLSv1.1': 'Tls11', 'TLSv1.2': 'Tls12', 'TLSv1.3': 'Tls13' } as const;

function factsOf(hello: ClientHello, identity: Identity | null): HandshakeFacts {
  return {
    serverName: hello.serverName,
    peerChain: [],
    peerIssuer: null,
    localCertificate: identity?.leaf.der ?? null,
  };
}

function refuse(socket: SecureSocket, facts: HandshakeFacts, owner: DownstreamHandshakeOwner, problem: string): void {
  const info = tlsInfoOf(socket, facts, false);
  refuseSocket(socket);
  owner.onTlsFailure(problem, info);
}

class DownstreamHandshake implements HandshakeOwner {
  readonly #tls: DownstreamTls;
  readonly #material: TlsMaterial;
  readonly #identity: Identity | null;
  readonly #hello: ClientHello;
  readonly #owner: DownstreamHandshakeOwner;

  constructor(
    tls: DownstreamTls,
    material: TlsMaterial,
    choice: number,
    hello: ClientHello,
    owner: DownstreamHandshakeOwner,
  ) {
    this.#tls = tls;
    this.#material = material;
    this.#identity = material.identities[choice] ?? null;
    this.#hello = hello;
    this.#owner = owner;
  }

  onHandshake(socket: SecureSocket): void {
    const facts = { ...factsOf(this.#hello, this.#identity), peerChain: peerChain(socket) };
    this.#tls.judge(socket, this.#material, facts, this.#owner);
  }

  onHandshakeFailure(code: string, message: string, socket: SecureSocket | null): void {
    const gone = code === 'ECONNRESET' || code === 'EPIPE';
    if (!gone) this.#tls.stats.connectionError.inc();
    const version = this.#tls.expectedVersion(this.#hello);
    const info = failedTlsInfo(socket, version, factsOf(this.#hello, this.#identity));
    this.#owner.onTlsFailure(gone ? '' : libraryFailureText(code, message), info);
  }
}
