import type { SecureContext, TLSSocket } from 'node:tls';
import type { Connection } from '#gateway/api/connection.ts';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import type { UpstreamConnectOptions, UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import { type Address, pipeAddress } from '#gateway/base/address.ts';
import { certificateFacts } from '#gateway/formatter/peer-certificate.ts';
import { nextConnectionId } from '#gateway/network/connection-id.ts';
import { SocketConnection } from '#gateway/network/socket-connection.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { localAddressOf } from '#gateway/runtime/sockets.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { createClientContext, peerChain, startClientHandshake } from '#gateway/runtime/tls-sockets.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { CommonTls } from './common-tls.ts';
import { PeerChains } from './peer-chains.ts';
import { SocketFactoryStats, SslStats } from './ssl-stats.ts';
import { libraryFailureText, secretMissingText, verdictText } from './tls-failure-text.ts';
import { tlsInfoOf } from './tls-info.ts';
import { compileMaterial, type TlsMaterial, watchMaterial } from './tls-material.ts';
import { keyUsage } from './validator/certificate-extensions.ts';
import { anySanMatches, exactDnsMatcher } from './validator/san-matcher.ts';
import type { PeerRules, PeerVerdict } from './validator/validate-peer.ts';
import { malformedPeer, validatePeer } from './validator/validate-peer.ts';

/** The rest of an UpstreamTlsContext. */
export interface UpstreamTlsOptions {
  readonly serverName: string;
  /** auto_host_sni: the endpoint's own name is sent, where it has one. */
  readonly autoHostSni: boolean;
  /** The SNI that was sent must also be one of the certificate's names. */
  readonly autoSanValidation: boolean;
  /** Sessions kept for resumption; 0: none. */
  readonly maxSessionKeys: number;
}

interface AskedOfPeer {
  readonly serverName: string;
  readonly verifyName: boolean;
  /** The session that was offered, or null. */
  readonly session: KeptSession | null;
  readonly seen: SeenPeer;
}

interface ActiveContext {
  readonly material: TlsMaterial;
  readonly context: SecureContext;
  /** Sessions of peers that were accepted under these rules, by address and SNI; oldest first. */
  readonly sessions: Map<string, KeptSession>;
}

interface KeptSession {
  readonly ticket: Uint8Array;
  readonly seen: SeenPeer;
}

/** What the peer showed, leaf first, in DER: some runtimes forget it in resumed sessions, and it is judged again there. */
interface SeenPeer {
  chain: readonly Uint8Array[];
}

const accepted: PeerVerdict = { failure: 'none', counted: 'none', detail: '', chainTrusted: true, path: [] };
/** Signing is not what the key is for: BoringSSL looks at that without any rules too. */
const cannotSign: PeerVerdict = { ...accepted, failure: 'key_usage', counted: 'key_usage', chainTrusted: false };
/** auto_san_validation without a CA: as in Envoy nobody is let in, for the name in an untrusted certificate proves nothing. */
const unfoundedName: PeerVerdict = {
  ...accepted,
  failure: 'chain',
  detail: 'verify cert failed: no trusted CA to check the name by',
  chainTrusted: false,
};

/** Opens TLS connections to upstream hosts; the server's certificate is judged by our validator before anything flows. */
export class UpstreamTls implements UpstreamTransportSocketFactory {
  readonly secure = true;
  readonly stats: SslStats;
  readonly #common: CommonTls;
  readonly #options: UpstreamTlsOptions;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #factoryStats: SocketFactoryStats;
  readonly #chains = new PeerChains();
  readonly #unwatch: () => void;
  #active: ActiveContext | null = null;

  /** Throws the TLS library's error when a setting or certificate cannot be used. */
  constructor(common: CommonTls, options: UpstreamTlsOptions, scope: Scope, clock: Clock, timers: Timers) {
    this.#common = common;
    this.#options = options;
    this.#clock = clock;
    this.#timers = timers;
    this.stats = new SslStats(scope);
    this.#factoryStats = new SocketFactoryStats(scope, 'client');
    this.#load();
    this.#unwatch = watchMaterial(common, () => {
      this.#factoryStats.contextUpdateBySds.inc();
      this.#load();
    });
  }

  get ready(): boolean {
    return this.#active !== null;
  }

  /** The secrets in use: /certs. */
  get sources(): Pick<CommonTls, 'certificates' | 'validation' | 'dynamicValidation'> {
    return this.#common;
  }

  /** Stops following the secrets. Connections live on. */
  close(): void {
    this.#unwatch();
  }

  connect(address: Address, options: UpstreamConnectOptions): Connection {
    const active = this.#active;
    const serverName = this.#serverName(options);
    const verifyName = options.verifyServerName || this.#options.autoSanValidation;
    const sessionKey = `${address.text} ${serverName}`;
    const session = active?.sessions.get(sessionKey) ?? null;
    if (active !== null && session !== null) this.#keepSession(active, sessionKey, session); // the youngest again
    const socket = startClientHandshake(
      { address, bindAddress: options.bindAddress },
      {
        settings: this.#common.settings,
        identity: active?.material.identities[0] ?? null,
        alpn: this.#common.alpn.length > 0 ? this.#common.alpn : options.alpn,
        serverName,
        session: session?.ticket ?? null,
        context: active?.context ?? createClientContext(this.#common.settings, null),
      },
    );
    const info = new ConnectionInfo(nextConnectionId(), pipeAddress(''), address, this.#clock.wallMs());
    const connection = new SocketConnection(socket, info, { timers: this.#timers, secure: true, connecting: true });
    if (active === null) {
      this.#factoryStats.upstreamSecretsNotReady.inc();
      info.transportFailureReason = secretMissingText;
      socket.destroy(new Error(info.transportFailureReason));
      return connection;
    }
    connection.setBufferLimit(options.bufferLimitOctets);
    connection.startConnectTimer(options.connectTimeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (info.tls !== null || error.syscall !== undefined) return;
      if (!(error.code ?? '').startsWith('ECONN')) {
        this.stats.connectionError.inc();
        info.transportFailureReason = libraryFailureText(error.code ?? '', error.message);
      }
    });
    const seen: SeenPeer = { chain: [] };
    socket.once('secureConnect', () => {
      info.localAddress = localAddressOf(socket, info.localAddress);
      this.#judge(socket, active, { serverName, verifyName, session, seen }, connection);
    });
    if (this.#options.maxSessionKeys > 0 && tlsCapabilities.clientSessions) {
      socket.on('session', (ticket: Uint8Array) => {
        if (info.tls !== null || connection.state === 'connecting')
          this.#keepSession(active, sessionKey, { ticket, seen });
      });
    }
    const { keyLog } = this.#common;
    if (keyLog !== null) socket.on('keylog', (line: Uint8Array) => keyLog.log(line, socket));
    return connection;
  }

  #judge(socket: TLSSocket, active: ActiveContext, asked: AskedOfPeer, connection: SocketConnection): void {
    if (connection.state !== 'connecting') return;
    const { serverName } = asked;
    const rules = active.material.rules;
    const resumed = asked.session !== null && socket.isSessionReused();
    let sent: readonly Uint8Array[] = peerChain(socket);
    // A resumed session proves that this is the peer that showed its certificates when it was made.
    if (resumed && sent.length === 0) sent = asked.session!.seen.chain;
    asked.seen.chain = sent;
    const verdict = this.#verdict(sent, rules, asked, resumed);
    this.stats.refused(verdict.counted);
    if (verdict.failure !== 'none') {
      connection.info.transportFailureReason = verdictText(verdict, certificateFacts(sent[0])?.names ?? []);
      active.sessions.delete(`${connection.info.remoteAddress.text} ${serverName}`);
      connection.failed(connection.info.transportFailureReason);
      return;
    }
    const localCertificate = active.material.identities[0]?.leaf.der ?? null;
    const peerIssuer = verdict.path[1]?.der ?? null;
    const facts = { serverName, peerChain: sent, peerIssuer, localCertificate };
    const info = tlsInfoOf(socket, facts, rules !== null && verdict.chainTrusted);
    connection.info.tls = info;
    this.stats.succeeded(info, resumed);
    connection.established();
  }

  #verdict(sent: readonly Uint8Array[], rules: PeerRules | null, asked: AskedOfPeer, resumed: boolean): PeerVerdict {
    const verifyName = asked.verifyName && asked.serverName !== '';
    const chain = this.#chains.parse(sent, resumed);
    if (rules === null) {
      if (verifyName) return unfoundedName;
      return chain?.[0]?.allows(keyUsage.digitalSignature) === false ? cannotSign : accepted;
    }
    if (chain === null) return malformedPeer;
    const verdict = validatePeer(chain, rules, this.#clock.wallMs(), true);
    if (verdict.failure !== 'none') return verdict;
    if (verifyName && (chain[0] === undefined || !anySanMatches(chain[0], [exactDnsMatcher(asked.serverName)]))) {
      return { ...verdict, failure: 'san', counted: 'san', detail: 'verify cert failed: SAN matcher', path: [] };
    }
    this.#chains.remember(verdict.path);
    return verdict;
  }

  #serverName(options: UpstreamConnectOptions): string {
    if (options.serverName !== '') return options.serverName;
    if (this.#options.autoHostSni && options.hostname !== '') return options.hostname;
    return this.#options.serverName;
  }

  #keepSession(active: ActiveContext, key: string, session: KeptSession): void {
    active.sessions.delete(key);
    active.sessions.set(key, session);
    if (active.sessions.size > this.#options.maxSessionKeys) {
      active.sessions.delete(active.sessions.keys().next().value!);
    }
  }

  #load(): void {
    const material = compileMaterial(this.#common, 'server');
    if (material === null) return; // what was in force stays
    const identity = material.identities[0] ?? null;
    const context = createClientContext(this.#common.settings, identity);
    this.#active = { material, context, sessions: new Map() };
    if (identity !== null) this.stats.expiration(this.#common.certificates[0]!.name, identity);
  }
}
