import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { ManagerConfig } from './manager-config.ts';
import { appendVia } from './request-headers.ts';

/** Whether a head asks for, or accepts, an upgrade: `upgrade` beside `connection: upgrade`. */
export function isUpgrade(head: RequestHead | ResponseHead): boolean {
  const { entries } = head.headers;
  let upgrade = false;
  let connection = false;
  for (let i = 0; i < entries.length; i += 2) {
    const name = entries[i]!;
    if (name.length === 7 && name === 'upgrade') upgrade = true;
    else if (name.length === 10 && name === 'connection' && /(^|,)\s*upgrade\s*(,|$)/i.test(entries[i + 1]!)) {
      connection = true;
    }
  }
  return upgrade && connection;
}

/** The protocol a request wants to switch to, in lower case (`connect` for CONNECT), or '' when it does not. */
export function requestedUpgrade(head: RequestHead): string {
  if (head.method === 'CONNECT') return 'connect';
  const protocol = head.headers.get('upgrade');
  return protocol !== null && isUpgrade(head) ? protocol.toLowerCase() : '';
}

/**
 * Makes a response's headers fit to go to the client: hop-by-hop headers out, Date, Server, Via, x-request-id. `upgraded`:
 * the response accepts an upgrade, and keeps what says so.
 */
export function mutateResponseHeaders(
  head: ResponseHead,
  request: RequestHead | null,
  config: ManagerConfig,
  upgraded: boolean,
): void {
  const { headers } = head;
  const { entries } = headers;
  const { length } = entries;
  let date = false;
  let serverAt = -1;
  let kept = 0;
  for (let i = 0; i < length; i += 2) {
    const name = entries[i]!;
    switch (name.length) {
      case 4:
        if (name === 'date') date = true;
        break;
      case 6:
        if (name === 'server') serverAt = kept;
        break;
      case 7:
        if (name === 'upgrade' && !upgraded) continue;
        break;
      case 10:
        if ((name === 'connection' && !upgraded) || name === 'keep-alive') continue;
        break;
      case 16:
        if (name === 'proxy-connection') continue;
        break;
      case 17:
        if (name === 'transfer-encoding') continue;
        break;
      default:
    }
    if (kept !== i) {
      entries[kept] = name;
      entries[kept + 1] = entries[i + 1]!;
    }
    kept += 2;
  }
  if (kept !== length) entries.length = kept;
  if (!date) entries.push('date', config.date.value());
  if (config.serverHeader === 'overwrite') {
    if (serverAt === -1) entries.push('server', config.serverName);
    else entries[serverAt + 1] = config.serverName;
  } else if (config.serverHeader === 'append_if_absent' && serverAt === -1) {
    entries.push('server', config.serverName);
  }
  if (upgraded && head.status >= 200 && head.status !== 204 && headers.get('content-length') === null) {
    headers.add('content-length', '0');
  }
  if (config.alwaysSetRequestIdInResponse && request !== null) {
    const id = request.headers.get('x-request-id');
    if (id !== null) headers.set('x-request-id', id);
  }
  if (config.via !== '') appendVia(headers, config.via);
}
