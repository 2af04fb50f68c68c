import type { ServerContext } from '#gateway/api/context.ts';
import type { TlsCertificateSecret, ValidationSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { DataSource } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { RehearsalStage } from '../rehearsal/rehearsal-stage.ts';
import { rehearseAuthorities } from '../rehearsal/rehearse-authorities.ts';
import { rehearseCertificate } from '../rehearsal/rehearse-certificate.ts';
import { rehearseHandshake } from '../rehearsal/rehearse-handshake.ts';
import { type Finding, refusalOf } from '../rehearsal/rules.ts';
import { checkValidationContext, readValidationSecret } from '../validation-context.ts';
import { readTlsCertificate } from './read-secret.ts';

/** Turns a Secret message into a usable value of one kind. Problems go to `diagnostics`; null means there were some. */
export interface SecretReader<T> {
  read(secret: Secret, server: Pick<ServerContext, 'readDataSource'>, diagnostics: Diagnostics): T | null;
  /** Files and folders whose changes mean that the secret must be read again. */
  watched(secret: Secret): { readonly files: readonly string[]; readonly folders: readonly string[] };
  /**
   * Tries a value before it is in force; absent: there is nothing to try. `inForce` is what it would replace. `told` is called
   * once, maybe before this returns.
   */
  rehearse?(candidate: T, inForce: T | null, stage: RehearsalStage, told: (findings: readonly Finding[]) => void): void;
}

function files(...sources: (DataSource | undefined)[]): string[] {
  return sources.flatMap((source) => (source?.specifier.case === 'filename' ? [source.specifier.value] : []));
}

/** Reads secrets that hold a certificate with its key. */
export const certificateReader: SecretReader<TlsCertificateSecret> = {
  read(secret, server, diagnostics) {
    if (secret.type.case !== 'tlsCertificate') {
      diagnostics.error('', `secret '${secret.name}' is not a tls_certificate`);
      return null;
    }
    const read = readTlsCertificate(secret.type.value, server, diagnostics.at('tls_certificate'));
    if (read === null) return null;
    // As Envoy, which shows no file for what was delivered.
    const { chainPath: _file, ...delivered } = read;
    return delivered;
  },
  watched(secret) {
    if (secret.type.case !== 'tlsCertificate') return { files: [], folders: [] };
    const { certificateChain, privateKey, watchedDirectory } = secret.type.value;
    if (watchedDirectory !== undefined) return { files: [], folders: [watchedDirectory.path] };
    return { files: files(certificateChain, privateKey), folders: [] };
  },
  rehearse(candidate, inForce, { clock, timers, uses }, told) {
    const found = rehearseCertificate(candidate, inForce, { nowMs: clock.wallMs(), uses });
    if (refusalOf(found) !== '') told(found);
    else rehearseHandshake(candidate, inForce !== null, timers, (more) => told([...found, ...more]));
  },
};

/** Reads secrets that hold rules for peers. */
export const validationReader: SecretReader<ValidationSecret> = {
  read(secret, server, diagnostics) {
    if (secret.type.case !== 'validationContext') {
      diagnostics.error('', `secret '${secret.name}' is not a validation_context`);
      return null;
    }
    const at = diagnostics.at('validation_context');
    const read = readValidationSecret(secret.type.value, server, at);
    // A CA may be in the default part of a combined context, which is not known here; then names alone are fine.
    checkValidationContext(secret.type.value, true, at);
    return diagnostics.failed ? null : read;
  },
  watched(secret) {
    if (secret.type.case !== 'validationContext') return { files: [], folders: [] };
    const { trustedCa, crl, watchedDirectory } = secret.type.value;
    if (watchedDirectory !== undefined) return { files: [], folders: [watchedDirectory.path] };
    return { files: files(trustedCa, crl), folders: [] };
  },
  rehearse(candidate, inForce, { clock }, told) {
    told(rehearseAuthorities(candidate, inForce, clock.wallMs()));
  },
};
