import type { CommonTls } from './common-tls.ts';
import { compileIdentity, type Identity } from './identity.ts';
import { compileRules } from './validation-context.ts';
import type { PeerRules } from './validator/validate-peer.ts';

/** Everything secret-dependent of a TLS context at one moment. Replaced as a whole when a secret changes. */
export interface TlsMaterial {
  readonly identities: readonly Identity[];
  readonly rules: PeerRules | null;
}

/** Compiles the current secrets; null while one of them has not come. */
export function compileMaterial(common: CommonTls, peer: 'server' | 'client'): TlsMaterial | null {
  const identities: Identity[] = [];
  for (const source of common.certificates) {
    if (source.current === null) return null;
    const identity = compileIdentity(source.current);
    if (typeof identity === 'string') return null; // refused when it was read; cannot happen for what is in force
    identities.push(identity);
  }
  const dynamic = common.dynamicValidation;
  if (dynamic !== null && dynamic.current === null) return null;
  return { identities, rules: compileRules(common.validation, dynamic?.current ?? null, peer) };
}

/** Calls `changed` whenever one of the context's secrets gets a new value. The answer undoes it. */
export function watchMaterial(common: CommonTls, changed: () => void): () => void {
  const listener = { onSecret: changed };
  const sources = [...common.certificates, ...(common.dynamicValidation === null ? [] : [common.dynamicValidation])];
  for (const source of sources) source.subscribe(listener);
  return () => {
    for (const source of sources) source.unsubscribe(listener);
  };
}
