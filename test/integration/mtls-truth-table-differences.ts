/** A case that ends otherwise than with Envoy, and why. */
export interface MtlsDifference {
  readonly name: string;
  /** What the gateway does. */
  readonly letIn: boolean;
  readonly reason: string;
  /** Where it differs; everywhere if not said. */
  readonly runtimes?: readonly ('bun' | 'deno' | 'node')[];
  readonly version?: 'TLSv1.2' | 'TLSv1.3';
}

/** Every known difference. */
export const differences: readonly MtlsDifference[] = [
  {
    name: 'both roots of one name without identifiers, other order',
    letIn: true,
    reason:
      'Envoy takes one of several authorities of a name, whichever its library sorts first; here all of them are tried',
  },
  {
    name: 'cross-signed, the known one last',
    letIn: true,
    reason: 'Envoy follows the first of several issuers that were sent; here their order does not matter',
  },
  {
    name: 'renewed intermediate last',
    letIn: true,
    reason: 'Envoy follows the first of several issuers that were sent; here their order does not matter',
  },
  {
    name: 'CRL for attributes',
    letIn: false,
    reason: 'such a list says nothing of certificates, so there is none for this one: RFC 5280 section 5.2.5',
  },
  {
    name: 'p521 leaf',
    letIn: true,
    version: 'TLSv1.3',
    reason: "Envoy's library does not offer to check such signatures unless it is told to; the runtimes' libraries do",
  },
  {
    name: 'ed25519 leaf',
    letIn: true,
    reason: "Envoy's library does not offer to check such signatures unless it is told to; the runtimes' libraries do",
  },
  {
    name: 'rsa1024 leaf',
    letIn: false,
    runtimes: ['deno'],
    reason: "Deno's TLS library checks no signature of an RSA key below 2048 bits",
  },
];

/**
 * Cases that are turned away with other words. Bun shows a root that it trusts itself as if the peer had sent it; Envoy's
 * library finds in TLS 1.3, where it looks at the usage first, that it cannot read it.
 */
export const otherWords: readonly { readonly name: string; readonly runtimes: readonly ('bun' | 'deno' | 'node')[] }[] =
  [
    { name: 'SVID of the wrong domain', runtimes: ['bun'] },
    { name: 'malformed key usage', runtimes: ['node'] },
  ];
