import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock } from '#gateway/runtime/clock.ts';
import { identifyPeer } from '../api/peer-identity.ts';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { IssuedCertificate } from '../ca/issued-certificate.ts';
import { SdsConfigError, type SdsListenerConfig } from './sds-config.ts';
import type { SdsPortOptions } from './sds-port.ts';
import type { SdsServer } from './sds-server.ts';

/** What the configured listeners need of the service around them. */
export interface ListenerSurroundings {
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  /** The certificate that is in use under a name, or null. */
  certificate(name: string): IssuedCertificate | null;
}

/**
 * Listens everywhere that the configuration says; answers the ports in its order, 0 for unix sockets. A server certificate that
 * is replaced counts from the next connection on, and clients of the own authority must not be revoked.
 */
export async function openListeners(
  server: SdsServer,
  listeners: readonly SdsListenerConfig[],
  surroundings: ListenerSurroundings,
): Promise<number[]> {
  const ports: number[] = [];
  for (const { address, tls, access, mode } of listeners) {
    const options = tls === null ? { access, socketMode: mode } : { ...tlsOptions(tls, surroundings), access };
    ports.push(await server.listen(address, options));
  }
  return ports;
}

function tlsOptions(
  { certificate: name, clientAuthorities }: NonNullable<SdsListenerConfig['tls']>,
  { authority, clock, certificate }: ListenerSurroundings,
): SdsPortOptions {
  if (certificate(name) === null) throw new SdsConfigError(`tls.certificate: there is no certificate named '${name}'`);
  const trusted = clientAuthorities === null ? null : readAuthorities(clientAuthorities);
  return {
    tls: {
      current() {
        const own = certificate(name)!;
        return {
          certificate: own.chainPem,
          key: own.privateKey.reveal(),
          clientAuthorities: trusted ?? authority.rootPem,
        };
      },
    },
    ...(trusted !== null ? {} : { judge: (shown) => problemOf(identifyPeer(authority, shown, clock.wallMs())) }),
  };
}

function readAuthorities(path: string): string {
  try {
    const pem = readFileSync(path, 'utf8');
    new X509Certificate(pem);
    return pem;
  } catch (error) {
    throw new SdsConfigError(`tls.client_ca: ${path} holds no certificate: ${(error as Error).message}`);
  }
}

function problemOf(identified: object | string): string {
  return typeof identified === 'string' ? identified : '';
}
