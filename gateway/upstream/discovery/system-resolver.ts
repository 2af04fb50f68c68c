import dns from 'node:dns';
import type { Cancellable } from '#gateway/api/upstream.ts';
import type { DnsAnswer, DnsListener, DnsResolver } from './dns-resolver.ts';

/** Codes that say "this name has no such address", which is an answer. */
const emptyCodes = new Set(['ENODATA', 'ENOTFOUND', 'EAI_NODATA', 'EAI_NONAME', 'EAI_ADDRFAMILY']);

/** One query; a cancelled one tells nobody. */
class Query implements Cancellable {
  #listener: DnsListener | null;

  constructor(listener: DnsListener) {
    this.#listener = listener;
  }

  cancel(): void {
    this.#listener = null;
  }

  get cancelled(): boolean {
    return this.#listener === null;
  }

  answer(answer: DnsAnswer): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.onDnsAnswer(answer);
  }
}

/** The system's resolver (hosts file included); for times to live, the name servers directly, then the system's. */
export const systemResolver: DnsResolver = {
  lookup(name: string, family: 4 | 6, wantTtl: boolean, listener: DnsListener): Cancellable {
    const query = new Query(listener);
    if (wantTtl) askServers(name, family, query);
    else askSystem(name, family, query);
    return query;
  },
};

function askSystem(name: string, family: 4 | 6, query: Query): void {
  dns.lookup(name, { family, all: true }, (error, found) => {
    if (error !== null) query.answer(failed(error));
    else query.answer({ ok: true, addresses: [...new Set(found.map((a) => a.address))], ttlSeconds: -1 });
  });
}

function askServers(name: string, family: 4 | 6, query: Query): void {
  const done = (error: NodeJS.ErrnoException | null, found: readonly { address: string; ttl: number }[]): void => {
    if (query.cancelled) return;
    if (error !== null || found.length === 0) {
      askSystem(name, family, query); // the hosts file may know it
      return;
    }
    const ttlSeconds = found.reduce((least, a) => Math.min(least, a.ttl), Number.MAX_SAFE_INTEGER);
    query.answer({ ok: true, addresses: found.map((a) => a.address), ttlSeconds });
  };
  if (family === 4) dns.resolve4(name, { ttl: true }, done);
  else dns.resolve6(name, { ttl: true }, done);
}

function failed(error: NodeJS.ErrnoException): DnsAnswer {
  return { ok: emptyCodes.has(error.code ?? ''), addresses: [], ttlSeconds: -1 };
}
