import type { Buffer } from 'node:buffer';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#gateway/runtime/clock.ts';
import { readSmallFile } from '../store/private-file.ts';
import { replaceFile } from '../store/replace-file.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { encodeRevocationList } from './encode-revocation-list.ts';
import type { IssuedCertificate } from './issued-certificate.ts';
import type { RevokedEntry } from './revocation-reason.ts';

/** The lists, by the certificate that signs them. */
export type RevocationListName = 'root' | 'intermediate';

/** A list that is published. */
export interface PublishedList {
  readonly number: number;
  readonly entries: number;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
}

/** A list is replaced after this share of its life, so that nobody ever holds one that has run out. */
const renewalShare = 1 / 2;

/** Lists begin a little in the past, for peers whose clock is behind. */
const backdateMs = 60_000;

/** Path of a published list: `pem` and `crl` (DER). */
export function revocationListPath(directory: string, name: RevocationListName, form: 'pem' | 'crl'): string {
  return join(directory, 'crl', `${name}.${form}`);
}

/** A published list, or null when there is none. */
export function loadRevocationList(directory: string, name: RevocationListName, form: 'pem' | 'crl'): Buffer | null {
  return readSmallFile(revocationListPath(directory, name, form));
}

/** Both lists in one PEM text: what Envoy's `crl` takes, which wants a list of every authority in the chain. */
export function revocationBundle(directory: string): string | null {
  const lists = (['intermediate', 'root'] as const).map((name) => loadRevocationList(directory, name, 'pem'));
  return lists[0] === null ? null : lists.map((list) => list?.toString('latin1') ?? '').join('');
}

/** Publishes the list of the signing certificate. */
export class RevocationPublisher {
  readonly #authority: CertificateAuthority;
  readonly #clock: Clock;

  constructor(authority: CertificateAuthority, clock: Clock) {
    this.#authority = authority;
    this.#clock = clock;
  }

  /** The list that is published, when it can be read, is signed by this authority and has not run out. */
  async current(): Promise<(PublishedList & { readonly serials: readonly string[] }) | null> {
    const { readRevocationList } = await import('./x509-toolkit.ts');
    const list = loadRevocationList(this.#authority.store.directory, 'intermediate', 'crl');
    const facts = list === null ? null : await readRevocationList(list, this.#authority.issuerPem);
    return facts === null ? null : { ...facts, entries: facts.serials.length };
  }

  /** How long until the list is to be replaced, milliseconds; 0 when it is time or what it says is no longer true. */
  async dueInMs(): Promise<number> {
    this.#authority.log.refresh();
    const nowMs = this.#clock.wallMs();
    const list = await this.current();
    const revoked = this.#authority.log.revoked(nowMs).map(({ serial }) => serial);
    if (list === null) return 0;
    const listed = new Set(list.serials);
    if (revoked.some((serial) => !listed.has(serial))) return 0;
    return Math.max(0, list.thisUpdateMs + (list.nextUpdateMs - list.thisUpdateMs) * renewalShare - nowMs);
  }

  /** Signs and publishes a new list. Its number is larger than that of every list before, also after a lost file. */
  async publish(): Promise<PublishedList> {
    const { store, log, issuer, settings } = this.#authority;
    log.refresh();
    const nowMs = this.#clock.wallMs();
    const number = Math.max(((await this.current())?.number ?? 0) + 1, Math.floor(nowMs / 1000));
    const entries = log.revoked(nowMs);
    const thisUpdateMs = nowMs - backdateMs;
    const nextUpdateMs = nowMs + settings.crlLifetimeMs;
    const list = encodeRevocationList(issuer, entries, number, thisUpdateMs, nextUpdateMs);
    writeList(store.directory, 'intermediate', list);
    return { number, entries: entries.length, thisUpdateMs, nextUpdateMs };
  }
}

/** Signs and publishes the root's list: which intermediates are revoked. It needs the root's key. */
export function publishRootList(
  directory: string,
  root: IssuedCertificate,
  entries: readonly RevokedEntry[],
  nowMs: number,
  nextUpdateMs: number,
): void {
  const list = encodeRevocationList(root, entries, Math.floor(nowMs / 1000), nowMs - backdateMs, nextUpdateMs);
  writeList(directory, 'root', list);
}

function writeList(directory: string, name: RevocationListName, list: Buffer): void {
  mkdirSync(join(directory, 'crl'), { recursive: true, mode: 0o755 });
  const body = list.toString('base64').replace(/.{1,64}/g, '$&\n');
  replaceFile(revocationListPath(directory, name, 'crl'), list, 0o644);
  replaceFile(
    revocationListPath(directory, name, 'pem'),
    `-----BEGIN X509 CRL-----\n${body}-----END X509 CRL-----\n`,
    0o644,
  );
}
