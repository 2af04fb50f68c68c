import { X509Certificate } from 'node:crypto';
import type { CertificateView, CertificateViews, TlsContextView } from '#gateway/api/admin-views.ts';
import type { ValidationSecret } from '#gateway/api/secrets.ts';
import type { ListenerManager } from '#gateway/listener/listener-manager.ts';
import type { CommonTls } from '#gateway/transport/common-tls.ts';
import { UpstreamTls } from '#gateway/transport/upstream-tls.ts';
import type { Clusters } from '#gateway/upstream/cluster-manager.ts';

type Sources = Pick<CommonTls, 'certificates' | 'validation' | 'dynamicValidation'>;

const inline = '<inline>';
const dayMs = 86_400_000;
const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The TLS contexts of all listeners and clusters. */
export class ServerCertificateViews implements CertificateViews {
  readonly #listeners: ListenerManager;
  readonly #clusters: Clusters;
  /** When the certificates that were looked at last expire, by their text: parsing is done once. */
  #expiries: ReadonlyMap<string, number> = new Map();

  constructor(listeners: ListenerManager, clusters: Clusters) {
    this.#listeners = listeners;
    this.#clusters = clusters;
  }

  tlsContextViews(): readonly TlsContextView[] {
    return this.#contexts().flatMap(viewsOf);
  }

  /** Whole days until the first certificate in use expires, 0 when one has; null when there is none. */
  daysUntilExpiry(nowMs: number): number | null {
    let firstMs = Number.POSITIVE_INFINITY;
    const seen = new Map<string, number>();
    for (const { chain, trustedCa } of this.tlsContextViews()) {
      for (const view of [chain, trustedCa]) {
        for (const [pem] of view?.pem.matchAll(pemBlock) ?? []) {
          const ms = this.#expiries.get(pem) ?? expiryMs(pem);
          seen.set(pem, ms);
          firstMs = Math.min(firstMs, ms);
        }
      }
    }
    this.#expiries = seen;
    return firstMs === Number.POSITIVE_INFINITY ? null : Math.max(0, Math.floor((firstMs - nowMs) / dayMs));
  }

  #contexts(): Sources[] {
    const contexts = new Set<{ readonly sources: Sources }>();
    for (const name of this.#clusters.names) {
      for (const { transport } of this.#clusters.get(name)?.hosts ?? []) {
        if (transport instanceof UpstreamTls) contexts.add(transport);
      }
    }
    for (const { config } of this.#listeners.listeners) {
      for (const { tls } of [...config.chains, ...(config.defaultChain === null ? [] : [config.defaultChain])]) {
        if (tls !== null) contexts.add(tls);
      }
    }
    return [...contexts].map((context) => context.sources);
  }
}

function viewsOf({ certificates, validation, dynamicValidation }: Sources): TlsContextView[] {
  const trustedCa = caView(dynamicValidation?.current ?? null) ?? caView(validation);
  const chains = certificates.flatMap(({ current }): CertificateView[] =>
    current === null ? [] : [{ pem: current.certificateChain, path: current.chainPath ?? inline }],
  );
  if (chains.length === 0) return trustedCa === null ? [] : [{ trustedCa, chain: null }];
  return chains.map((chain) => ({ trustedCa, chain }));
}

function caView(secret: ValidationSecret | null): CertificateView | null {
  if (secret === null || secret.trustedCa === '') return null;
  const { trustedCa } = secret.context as {
    readonly trustedCa?: { readonly specifier?: { case?: string; value?: unknown } };
  };
  const specifier = trustedCa?.specifier;
  return { pem: secret.trustedCa, path: specifier?.case === 'filename' ? String(specifier.value) : inline };
}

function expiryMs(pem: string): number {
  try {
    return Date.parse(new X509Certificate(pem).validTo);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
