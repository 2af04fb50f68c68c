import type { CertificateView, CertificateViews, SecretView, TlsContextView } from '#gateway/api/admin-views.ts';
import type { SecretSource, ValidationSecret } from '#gateway/api/secrets.ts';
import type { ListenerManager } from '#gateway/listener/listener-manager.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { CommonTls } from '#gateway/transport/common-tls.ts';
import { namesOf, rehearseCertificate } from '#gateway/transport/rehearsal/rehearse-certificate.ts';
import { noUses, type SecretUses } from '#gateway/transport/rehearsal/secret-uses.ts';
import { SdsSecret } from '#gateway/transport/secrets/sds-secret.ts';
import type { Secrets } from '#gateway/transport/secrets/secrets.ts';
import { UpstreamTls } from '#gateway/transport/upstream-tls.ts';
import type { Certificate } from '#gateway/transport/validator/certificate.ts';
import type { Clusters } from '#gateway/upstream/cluster-manager.ts';
import { KnownCertificates } from './known-certificates.ts';

type Sources = Pick<CommonTls, 'certificates' | 'validation' | 'dynamicValidation'>;

/** A TLS context with where it is. */
interface PlacedContext {
  readonly sources: Sources;
  readonly side: 'server' | 'client';
  /** Where its gauges are, and what their names begin with. */
  readonly scope: Scope;
  readonly prefix: string;
  /** `server_names` of its filter chain. */
  readonly serverNames: readonly string[];
}

const inline = '<inline>';
const dayMs = 86_400_000;
/** Envoy's name for authorities that have none in its statistics. */
const unnamedCa = 'unnamed_ca_cert_e3b0c442';

/** The TLS contexts of all listeners and clusters: what /certs shows, gauges of each certificate, and who uses a secret. */
export class ServerCertificateViews implements CertificateViews {
  readonly #listeners: ListenerManager;
  readonly #clusters: Clusters;
  readonly #secrets: Secrets;
  readonly #root: Scope;
  readonly #known = new KnownCertificates();

  constructor(listeners: ListenerManager, clusters: Clusters, secrets: Secrets, root: Scope) {
    this.#listeners = listeners;
    this.#clusters = clusters;
    this.#secrets = secrets;
    this.#root = root;
  }

  tlsContextViews(): readonly TlsContextView[] {
    return this.#contexts().flatMap(({ sources }) => viewsOf(sources));
  }

  secretViews(): readonly SecretView[] {
    return this.#secrets.dynamic.map((secret) => ({
      name: secret.name,
      updatedMs: secret.updatedMs,
      rotations: secret.rotationStats.rotations.value,
      problem: secret.problem,
      problemMs: secret.problemMs,
      waiting: secret.waiting,
      warnings: secret.findings.map(({ detail }) => detail),
    }));
  }

  /** Every certificate in use, once. */
  certificates(): Certificate[] {
    const found = new Map<string, Certificate>();
    for (const { chain, trustedCa } of this.tlsContextViews()) {
      for (const view of [chain, trustedCa]) {
        for (const known of this.#known.of(view?.pem ?? '')) found.set(known.fingerprint, known);
      }
    }
    this.#known.forgetOthers();
    return [...found.values()];
  }

  /** What the rehearsal would warn of in certificates that stand in the configuration itself: one line each. */
  staticFindings(nowMs: number): string[] {
    const lines = new Set<string>();
    for (const { sources } of this.#contexts()) {
      for (const source of sources.certificates) {
        if (source instanceof SdsSecret || source.current === null) continue;
        const { current } = source;
        const findings = rehearseCertificate(
          { ...current, privateKey: '' },
          null,
          { nowMs, uses: this.usesOf(source) },
          false,
        );
        for (const { detail } of findings) lines.add(`certificate ${current.chainPath ?? inline}: ${detail}`);
      }
    }
    return [...lines];
  }

  /** Whole days until the first certificate in use expires, 0 when one has; null when there is none. */
  daysUntilExpiry(nowMs: number): number | null {
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { notAfterMs } of this.certificates()) firstMs = Math.min(firstMs, notAfterMs);
    return firstMs === Number.POSITIVE_INFINITY ? null : Math.max(0, Math.floor((firstMs - nowMs) / dayMs));
  }

  /**
   * Brings `<listener or cluster>.ssl.certificate.<name>.*` up to date: when it expires (Envoy's, of the chain's first
   * certificate, or of the first authority to expire) and the days that are left, below zero once it has. And the age of
   * each secret that comes from outside.
   */
  refreshGauges(nowMs: number): void {
    for (const { updatedMs, rotationStats } of this.#secrets.dynamic) {
      rotationStats.ageSeconds.set(updatedMs === 0 ? 0 : Math.floor((nowMs - updatedMs) / 1000));
    }
    for (const { sources, scope, prefix } of this.#contexts()) {
      for (const { name, current } of sources.certificates) {
        const leaf = this.#known.of(current?.certificateChain ?? '')[0];
        if (leaf !== undefined) gaugesOf(scope, prefix + name, leaf.notAfterMs, nowMs);
      }
      const { validation, dynamicValidation } = sources;
      const dynamic = this.#known.of(dynamicValidation?.current?.trustedCa ?? '');
      const authorities = dynamic.length > 0 ? dynamic : this.#known.of(validation?.trustedCa ?? '');
      if (authorities.length === 0) continue;
      const name = dynamic.length > 0 ? (dynamicValidation?.name ?? unnamedCa) : unnamedCa;
      gaugesOf(scope, prefix + name, Math.min(...authorities.map(({ notAfterMs }) => notAfterMs)), nowMs);
    }
  }

  /** Who uses a secret: what its rehearsal must not break. */
  usesOf(source: SecretSource<unknown>): SecretUses {
    let uses: SecretUses = noUses;
    for (const { sources, side, serverNames } of this.#contexts()) {
      if (!(sources.certificates as readonly SecretSource<unknown>[]).includes(source)) continue;
      const others = sources.certificates.filter((other) => other !== source);
      const otherNames = others.flatMap(({ current }) => {
        const leaf = this.#known.of(current?.certificateChain ?? '')[0];
        return leaf === undefined ? [] : namesOf(leaf);
      });
      uses = {
        server: uses.server || side === 'server',
        client: uses.client || side === 'client',
        serverNames: [...uses.serverNames, ...serverNames],
        otherNames: [...uses.otherNames, ...otherNames],
      };
    }
    return uses;
  }

  #contexts(): PlacedContext[] {
    const contexts = new Map<{ readonly sources: Sources }, Omit<PlacedContext, 'sources'>>();
    for (const name of this.#clusters.names) {
      const prefix = `cluster.${name.replaceAll(':', '_')}.ssl.certificate.`;
      const place = { side: 'client', scope: this.#root, prefix, serverNames: [] } as const;
      for (const { transport } of this.#clusters.get(name)?.hosts ?? []) {
        if (transport instanceof UpstreamTls) contexts.set(transport, place);
      }
    }
    for (const { config } of this.#listeners.listeners) {
      const { scope, chains, criteria, defaultChain } = config;
      const place = { side: 'server', scope, prefix: 'ssl.certificate.' } as const;
      for (const [i, { tls }] of chains.entries()) {
        const { serverNames = [], serverNameSuffixes = [] } = criteria[i] ?? {};
        const names = [...serverNames, ...serverNameSuffixes.map((suffix) => `*${suffix}`)];
        if (tls !== null) contexts.set(tls, { ...place, serverNames: names });
      }
      if (defaultChain !== null && defaultChain.tls !== null) {
        contexts.set(defaultChain.tls, { ...place, serverNames: [] });
      }
    }
    return [...contexts].map(([{ sources }, place]) => ({ sources, ...place }));
  }
}

function gaugesOf(scope: Scope, prefix: string, notAfterMs: number, nowMs: number): void {
  scope.gauge(`${prefix}.expiration_unix_time_seconds`).set(Math.floor(notAfterMs / 1000));
  scope.gauge(`${prefix}.days_until_expiration`).set(Math.floor((notAfterMs - nowMs) / dayMs));
}

function viewsOf({ certificates, validation, dynamicValidation }: Sources): TlsContextView[] {
  const trustedCa = caView(dynamicValidation?.current ?? null, true) ?? caView(validation, false);
  const chains = certificates.flatMap((source): CertificateView[] => {
    const { current } = source;
    return current === null ? [] : [{ pem: current.certificateChain, path: current.chainPath ?? inline }];
  });
  if (chains.length === 0) return trustedCa === null ? [] : [{ trustedCa, chain: null }];
  return chains.map((chain) => ({ trustedCa, chain }));
}

function caView(secret: ValidationSecret | null, fromOutside: boolean): CertificateView | null {
  if (secret === null || secret.trustedCa === '') return null;
  const { trustedCa } = secret.context as {
    readonly trustedCa?: { readonly specifier?: { case?: string; value?: unknown } };
  };
  const specifier = trustedCa?.specifier;
  // As Envoy, which reads the files of a delivered secret before it hands it on.
  const path = specifier?.case === 'filename' && !fromOutside ? String(specifier.value) : inline;
  return { pem: secret.trustedCa, path };
}
