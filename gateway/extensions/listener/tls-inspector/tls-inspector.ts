import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { ListenerFilterExtension } from '#gateway/api/extension.ts';
import type { ListenerFilter, ListenerFilterFactory, ListenerFilterResult } from '#gateway/api/network-filter.ts';
import type { ClientHello } from '#gateway/protocol/client-hello/client-hello.ts';
import { ClientHelloReader, maxClientHelloOctets } from '#gateway/protocol/client-hello/client-hello-reader.ts';
import { ja3Fingerprint, ja4Fingerprint } from '#gateway/protocol/client-hello/fingerprints.ts';
import type { Counter, Histogram, Scope } from '#gateway/stats/stats.ts';
import { refuseHello, strangerOctets } from '#gateway/transport/refused-hello.ts';
import { inspectionFailureText } from '#gateway/transport/tls-failure-text.ts';
import type { TlsInspector as TlsInspectorMessage } from '#proto-types/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';

/** `tls_inspector.*`, one set for all listeners. */
class TlsInspectorStats {
  readonly tlsFound: Counter;
  readonly tlsNotFound: Counter;
  readonly sniFound: Counter;
  readonly sniNotFound: Counter;
  readonly alpnFound: Counter;
  readonly alpnNotFound: Counter;
  readonly clientHelloTooLarge: Counter;
  readonly bytesProcessed: Histogram;

  constructor(root: Scope) {
    const scope = root.scope('tls_inspector');
    this.tlsFound = scope.counter('tls_found');
    this.tlsNotFound = scope.counter('tls_not_found');
    this.sniFound = scope.counter('sni_found');
    this.sniNotFound = scope.counter('sni_not_found');
    this.alpnFound = scope.counter('alpn_found');
    this.alpnNotFound = scope.counter('alpn_not_found');
    this.clientHelloTooLarge = scope.counter('client_hello_too_large');
    this.bytesProcessed = scope.histogram('bytes_processed', 'bytes');
  }
}

/** What TlsInspector asks for. */
interface InspectorOptions {
  readonly maxOctets: number;
  readonly closeOnError: boolean;
  readonly ja3: boolean;
  readonly ja4: boolean;
}

/** Reads the ClientHello of one connection: transport protocol, SNI and ALPN for the choice of the chain. */
class TlsInspector implements ListenerFilter {
  readonly maxReadOctets: number;
  readonly consumedOctets = 0;
  readonly #reader: ClientHelloReader;
  readonly #stats: TlsInspectorStats;
  readonly #options: InspectorOptions;

  constructor(options: InspectorOptions, stats: TlsInspectorStats) {
    this.maxReadOctets = options.maxOctets + 1;
    this.#reader = new ClientHelloReader(options.maxOctets);
    this.#options = options;
    this.#stats = stats;
  }

  get clientHello(): ClientHello | null {
    return this.#reader.hello;
  }

  inspect(peeked: Uint8Array, info: ConnectionInfo): ListenerFilterResult {
    const stats = this.#stats;
    const status = this.#reader.read(peeked);
    switch (status) {
      case 'need_more':
        return 'need_more';
      case 'complete':
        break;
      case 'too_large':
        stats.clientHelloTooLarge.inc();
        return 'close';
      case 'not_tls':
      case 'invalid':
        if (peeked.length < strangerOctets) return 'need_more';
        info.transportFailureReason = inspectionFailureText(refuseHello(peeked).reason);
        stats.tlsNotFound.inc();
        stats.bytesProcessed.record(peeked.length);
        return status === 'invalid' && this.#options.closeOnError ? 'close' : 'continue';
    }
    const hello = this.#reader.hello!;
    stats.tlsFound.inc();
    stats.bytesProcessed.record(peeked.length);
    info.detectedTransportProtocol = 'tls';
    info.requestedServerName = hello.serverName;
    info.requestedApplicationProtocols = hello.applicationProtocols;
    if (this.#options.ja3) info.ja3 = ja3Fingerprint(hello);
    if (this.#options.ja4) info.ja4 = ja4Fingerprint(hello);
    (hello.serverName === '' ? stats.sniNotFound : stats.sniFound).inc();
    (hello.applicationProtocols.length === 0 ? stats.alpnNotFound : stats.alpnFound).inc();
    return 'continue';
  }
}

/** envoy.filters.listener.tls_inspector. */
export const tlsInspectorExtension: ListenerFilterExtension = {
  name: 'envoy.filters.listener.tls_inspector',
  configType: 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
  createFactory(config, context: ExtensionContext): ListenerFilterFactory {
    const message = config as TlsInspectorMessage;
    const options: InspectorOptions = {
      maxOctets: message.maxClientHelloSize ?? maxClientHelloOctets,
      closeOnError: message.closeConnectionOnClientHelloParsingErrors,
      ja3: message.enableJa3Fingerprinting ?? false,
      ja4: message.enableJa4Fingerprinting ?? false,
    };
    const stats = new TlsInspectorStats(context.server.stats);
    return { create: () => new TlsInspector(options, stats) };
  },
};
