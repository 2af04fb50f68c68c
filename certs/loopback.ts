/** Whether `address` (`host:port`, `[v6]:port` or `unix:PATH`) can only be reached from this machine. */
export function isLoopback(address: string): boolean {
  if (address.startsWith('unix:')) return address.length > 'unix:'.length;
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(address);
  if (match === null || Number(match[3]) > 65_535) return false;
  return match[1] === '::1' || match[2] === 'localhost' || /^127(\.[0-9]{1,3}){3}$/.test(match[2] ?? '');
}

/** Splits a loopback `host:port`; brackets are dropped. */
export function splitHostPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
