import { Buffer } from 'node:buffer';
import { ConfigError } from '#gateway/config/diagnostics.ts';

/** A trust domain with its anchors as PEM. */
export interface TrustBundle {
  readonly name: string;
  readonly pem: string;
}

/**
 * Reads a SPIFFE bundle map: `{"trust_domains": {"<name>": {"keys": [{"use": "x509-svid", "x5c": ["<base64 DER>"]}]}}}`. Throws
 * ConfigError, its path relative to the data source.
 */
export function readTrustBundles(json: string): TrustBundle[] {
  let map: unknown;
  try {
    map = JSON.parse(json);
  } catch {
    throw new ConfigError('', 'Invalid JSON found in SPIFFE bundle');
  }
  const domains = field(map, 'trust_domains');
  if (domains === null || typeof domains !== 'object' || Object.keys(domains).length === 0) {
    throw new ConfigError('', 'No trust domains found in SPIFFE bundle');
  }
  return Object.entries(domains).map(([name, domain]) => ({ name, pem: readKeys(name, field(domain, 'keys')) }));
}

function readKeys(name: string, keys: unknown): string {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new ConfigError('', `No keys found in SPIFFE bundle for domain '${name}'`);
  }
  return keys.map((key) => readKey(name, key)).join('');
}

function readKey(name: string, key: unknown): string {
  if (field(key, 'use') !== 'x509-svid') {
    throw new ConfigError('', `missing or invalid 'use' field found in cert for domain '${name}'`);
  }
  const certificates = field(key, 'x5c');
  if (!Array.isArray(certificates) || certificates.length === 0) {
    throw new ConfigError('', `missing or empty 'x5c' field found in keys for domain: '${name}'`);
  }
  return certificates.map((text) => toPem(name, text)).join('');
}

function toPem(name: string, text: unknown): string {
  const der = typeof text === 'string' ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  if (der.length === 0 || der.toString('base64') !== text) {
    throw new ConfigError('', `Failed to create x509 object while loading certs in domain '${name}'`);
  }
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? ((value as Record<string, unknown>)[name] ?? null) : null;
}
