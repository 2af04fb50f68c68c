/** One kind of load of the TLS suite: new connections with a request each, or requests on connections that are kept. */
export type TlsCase =
  | {
      readonly kind: 'new';
      readonly name: string;
      readonly description: string;
      readonly key: 'ecdsa' | 'rsa';
      readonly resume: boolean;
    }
  | { readonly kind: 'kept'; readonly name: string; readonly description: string; readonly client: 'h1' | 'h2' };

/** The cases in the order of the table. */
export const tlsCases: readonly TlsCase[] = [
  { kind: 'new', name: 'new-p256', description: 'new connection, P-256, full', key: 'ecdsa', resume: false },
  { kind: 'new', name: 'resumed-p256', description: 'new connection, P-256, resumed', key: 'ecdsa', resume: true },
  { kind: 'new', name: 'new-rsa', description: 'new connection, RSA-2048, full', key: 'rsa', resume: false },
  { kind: 'new', name: 'resumed-rsa', description: 'new connection, RSA-2048, resumed', key: 'rsa', resume: true },
  { kind: 'kept', name: 'kept-h1', description: 'request on a kept connection, HTTP/1.1', client: 'h1' },
  { kind: 'kept', name: 'kept-h2', description: 'request on a kept connection, HTTP/2', client: 'h2' },
];
