/** One kind of load. */
export interface BenchCase {
  readonly name: string;
  readonly description: string;
  readonly tls: boolean;
  /** Which load generator: wrk with 32 connections, or h2load with 8 connections of 16 streams. */
  readonly client: 'h1' | 'h2';
  readonly path: string;
  /** nginx and haproxy configurations of this benchmark have no HTTP/2 upstream. */
  readonly needsHttp2Upstream: boolean;
}

/** The load cases, in the order of the table. */
export const benchCases: readonly BenchCase[] = [
  {
    name: 'h1',
    description: 'plain HTTP/1.1, 64 B',
    tls: false,
    client: 'h1',
    path: '/small',
    needsHttp2Upstream: false,
  },
  {
    name: 'tls-h1',
    description: 'TLS HTTP/1.1, 64 B',
    tls: true,
    client: 'h1',
    path: '/small',
    needsHttp2Upstream: false,
  },
  {
    name: 'tls-h2',
    description: 'TLS h2 -> h1, 64 B',
    tls: true,
    client: 'h2',
    path: '/small',
    needsHttp2Upstream: false,
  },
  {
    name: 'tls-h2-h2',
    description: 'TLS h2 -> h2, 64 B',
    tls: true,
    client: 'h2',
    path: '/h2/small',
    needsHttp2Upstream: true,
  },
  {
    name: '64k',
    description: 'plain HTTP/1.1, 64 KiB',
    tls: false,
    client: 'h1',
    path: '/64k',
    needsHttp2Upstream: false,
  },
  {
    name: '1m',
    description: 'plain HTTP/1.1, 1 MiB',
    tls: false,
    client: 'h1',
    path: '/1m',
    needsHttp2Upstream: false,
  },
  {
    name: 'tls-1m',
    description: 'TLS HTTP/1.1, 1 MiB',
    tls: true,
    client: 'h1',
    path: '/1m',
    needsHttp2Upstream: false,
  },
];
