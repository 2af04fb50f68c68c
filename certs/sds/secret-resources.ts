import { createHash } from 'node:crypto';
import type { Any } from '@bufbuild/protobuf/wkt';
import { createMessage, packAny } from '#gateway/proto/registry.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { IssuedCertificate } from '../ca/issued-certificate.ts';

/** Full name of the resource type that SDS carries. */
export const secretTypeName = 'envoy.extensions.transport_sockets.tls.v3.Secret';

/** One named secret, ready to be sent. The version changes when, and only when, what it holds changes. */
export interface SecretResource {
  readonly name: string;
  readonly version: string;
  readonly any: Any;
}

/** Told that the resource called `name` was added, replaced or taken away. */
export interface SecretResourcesListener {
  onSecretChanged(name: string): void;
}

/** All secrets that are on offer; streams subscribe to it. */
export class SecretResources {
  readonly #resources = new Map<string, SecretResource>();
  readonly #listeners = new Set<SecretResourcesListener>();

  get(name: string): SecretResource | undefined {
    return this.#resources.get(name);
  }

  /** Names on offer, in the order they came. */
  names(): string[] {
    return [...this.#resources.keys()];
  }

  /** Adds or replaces a resource and tells every listener. */
  set(resource: SecretResource): void {
    this.#resources.set(resource.name, resource);
    this.#tell(resource.name);
  }

  /** Takes a resource away and tells every listener; false when there is none of that name. */
  delete(name: string): boolean {
    if (!this.#resources.delete(name)) return false;
    this.#tell(name);
    return true;
  }

  subscribe(listener: SecretResourcesListener): void {
    this.#listeners.add(listener);
  }

  unsubscribe(listener: SecretResourcesListener): void {
    this.#listeners.delete(listener);
  }

  #tell(name: string): void {
    for (const listener of [...this.#listeners]) listener.onSecretChanged(name);
  }
}

/** A `tls_certificate` secret. */
export function tlsCertificateSecret(name: string, certificate: IssuedCertificate): SecretResource {
  const message = createMessage<Secret>(secretTypeName, {
    name,
    type: {
      case: 'tlsCertificate',
      value: {
        certificateChain: { specifier: { case: 'inlineString', value: certificate.chainPem } },
        privateKey: { specifier: { case: 'inlineString', value: certificate.privateKey.reveal() } },
      },
    },
  });
  return { name, version: versionOf(certificate.chainPem), any: packAny(message) };
}

/** A `validation_context` secret that trusts one authority; with `crlPem` (lists of every authority in the chain) it refuses what they name. */
export function validationContextSecret(
  name: string,
  authorityPem: string,
  crlPem: string | null = null,
): SecretResource {
  const crl = crlPem === null ? {} : { crl: { specifier: { case: 'inlineString' as const, value: crlPem } } };
  const message = createMessage<Secret>(secretTypeName, {
    name,
    type: {
      case: 'validationContext',
      value: { trustedCa: { specifier: { case: 'inlineString', value: authorityPem } }, ...crl },
    },
  });
  return { name, version: versionOf(authorityPem + (crlPem ?? '')), any: packAny(message) };
}

/** Versions are made from the certificate, so that they stay the same over a restart with the same certificate. */
function versionOf(publicText: string): string {
  return createHash('sha256').update(publicText).digest('hex').slice(0, 16);
}
