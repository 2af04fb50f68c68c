import type { Buffer } from 'node:buffer';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { XdsSettings } from '../config/settings-xds.ts';

/** PEM files of the connection to a management server. */
export interface XdsTls {
  /** Null: the authorities that the runtime trusts. */
  readonly roots: Buffer | null;
  /** The service's own certificate; null for none. */
  readonly chain: Buffer | null;
  readonly key: Buffer | null;
}

/** Reads the files; null without TLS. Throws when one is missing or the key is not the certificate's. */
export function readXdsTls(settings: XdsSettings): XdsTls | null {
  if (!settings.CONFIG_GRPC_XDS_SERVER_USE_TLS) return null;
  const certPath = settings.CONFIG_GRPC_XDS_CLIENT_TLS_CERT;
  const keyPath = settings.CONFIG_GRPC_XDS_CLIENT_TLS_KEY;
  if ((certPath === '') !== (keyPath === '')) {
    throw new Error('CONFIG_GRPC_XDS_CLIENT_TLS_CERT and CONFIG_GRPC_XDS_CLIENT_TLS_KEY go together: one is not set');
  }
  const caPath = settings.CONFIG_GRPC_XDS_SERVER_TLS_CACERT;
  const pair = certPath === '' ? { chain: null, key: null } : readPair(certPath, keyPath);
  return { roots: caPath === '' ? null : readAuthorities(caPath), ...pair };
}

function readPair(certPath: string, keyPath: string): { chain: Buffer; key: Buffer } {
  try {
    const chain = readFileSync(certPath);
    const key = readFileSync(keyPath);
    if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(key))) {
      throw new Error('the private key is not the one of the certificate');
    }
    return { chain, key };
  } catch (error) {
    throw new Error(`failed to load TLS key pair (${certPath},${keyPath}): ${(error as Error).message}`);
  }
}

function readAuthorities(path: string): Buffer {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    throw new Error(`failed to read file: ${path}: ${(error as Error).message}`);
  }
  try {
    new X509Certificate(pem);
  } catch {
    throw new Error(`failed to load the provided TLS CA certificate: ${path}`);
  }
  return pem;
}
