import type { ServerContext } from '#gateway/api/context.ts';
import { IpRange, parseIp } from '#gateway/base/ip.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { CidrRange } from '#proto-types/envoy/config/core/v3/address_pb.ts';
import type { TlsKeyLog } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';

/** The two ends of a connection, as its socket tells them; undefined on unix sockets. */
interface KeyLogEnds {
  readonly localAddress?: string | undefined;
  readonly remoteAddress?: string | undefined;
}

const decoder = new TextDecoder();

/** key_log: writes the secrets of chosen connections, in NSS key log format, for a capture to be read with. */
export class KeyLog {
  readonly #write: (line: string) => void;
  readonly #local: readonly IpRange[];
  readonly #remote: readonly IpRange[];

  constructor(write: (line: string) => void, local: readonly IpRange[], remote: readonly IpRange[]) {
    this.#write = write;
    this.#local = local;
    this.#remote = remote;
  }

  /** One line of the TLS library, with or without its line feed. */
  log(line: Uint8Array, ends: KeyLogEnds): void {
    if (!holds(this.#local, ends.localAddress) || !holds(this.#remote, ends.remoteAddress)) return;
    this.#write(`${decoder.decode(line).trimEnd()}\n`);
  }
}

/** Reads a TlsKeyLog and opens its file; null when there are problems. Paths are relative to it. */
export function readKeyLog(
  message: TlsKeyLog,
  server: Pick<ServerContext, 'logFiles'>,
  diagnostics: Diagnostics,
): KeyLog | null {
  const local = readRanges(message.localAddressRange, 'local_address_range', diagnostics);
  const remote = readRanges(message.remoteAddressRange, 'remote_address_range', diagnostics);
  if (diagnostics.failed) return null;
  try {
    const file = server.logFiles.open(message.path);
    return new KeyLog((line) => file.write(line), local, remote);
  } catch (error) {
    diagnostics.error('path', `unable to open file '${message.path}': ${(error as Error).message}`);
    return null;
  }
}

function readRanges(list: readonly CidrRange[], field: string, diagnostics: Diagnostics): IpRange[] {
  return list.flatMap((cidr, i) => {
    const range = IpRange.parse(cidr.addressPrefix, cidr.prefixLen ?? 0);
    if (range === null) {
      diagnostics.error(`${field}[${i}].address_prefix`, `"${cidr.addressPrefix}" is not an IP address`);
    }
    return range === null ? [] : [range];
  });
}

function holds(ranges: readonly IpRange[], address: string | undefined): boolean {
  if (ranges.length === 0) return true;
  const ip = address === undefined ? null : parseIp(address);
  return ip !== null && ranges.some((range) => range.contains(ip));
}
