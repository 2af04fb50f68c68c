/** A network address: an IP and port, or the path of a unix socket (`pipe` in Envoy's words). */
export interface Address {
  readonly kind: 'ip' | 'pipe';
  /** IP text without brackets, or the path of the socket. */
  readonly host: string;
  /** 0 for a pipe. */
  readonly port: number;
  /** 4, 6, or 0 for a pipe. */
  readonly family: 4 | 6 | 0;
  /** What logs and %..._ADDRESS% show: `1.2.3.4:80`, `[::1]:80`, `/run/x.sock`. */
  readonly text: string;
}

/** Makes an IP address. `host` must be a literal address, without brackets. */
export function ipAddress(host: string, port: number): Address {
  const family = host.includes(':') ? 6 : 4;
  return { kind: 'ip', host, port, family, text: family === 6 ? `[${host}]:${port}` : `${host}:${port}` };
}

/** Makes a unix socket address. */
export function pipeAddress(path: string): Address {
  return { kind: 'pipe', host: path, port: 0, family: 0, text: path };
}
