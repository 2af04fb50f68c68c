import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers } from '#gateway/runtime/timers.ts';
import { type DirectoryWatch, type WatchDirectory, watchDirectory } from '#gateway/runtime/watch-directory.ts';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from '../ca/issued-certificate.ts';
import { readSmallFile } from '../store/private-file.ts';
import type { CertificateSource, CertificateSourceListener, SourcedCertificateStatus } from './certificate-source.ts';
import { foldersToWatch } from './watched-folders.ts';

/** A certificate that others keep in files. */
export interface WatchedCertificate {
  /** Name of the SDS secret. */
  readonly name: string;
  /** PEM, the certificate itself first. */
  readonly certificatePath: string;
  readonly keyPath: string;
}

/** What watching needs. */
export interface WatchedFilesOptions {
  readonly certificates: readonly WatchedCertificate[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  /** The system's watches when absent. */
  readonly watch?: WatchDirectory;
}

/** Changes come in bursts: files are read once none has come for this long, milliseconds. */
const settleMs = 200;
/** Files are looked at this often without any sign of a change: network file systems and lost watches, milliseconds. */
const lookMs = 10_000;
/** A pair that does not match is given this many settle times before it is complained about. */
const patience = 10;

/**
 * Certificates that others (an operator, another ACME client, a secrets driver) keep in files. Both files are read together
 * and taken only when they belong together; until then, and when they are unusable, what was read last stays.
 */
export class WatchedFiles implements CertificateSource {
  readonly kind = 'files';
  readonly #options: WatchedFilesOptions;
  readonly #pairs: ReadonlyMap<string, FilePair>;
  readonly #watches = new Map<string, DirectoryWatch>();
  readonly #timer: Timer;
  #listener: CertificateSourceListener | null = null;

  constructor(options: WatchedFilesOptions) {
    this.#options = options;
    this.#pairs = new Map(options.certificates.map((one) => [one.name, new FilePair(one)]));
    this.#timer = options.timers.create({ onTimer: () => this.#look() });
  }

  names(): readonly string[] {
    return [...this.#pairs.keys()];
  }

  current(name: string): IssuedCertificate | null {
    return this.#pairs.get(name)?.current ?? null;
  }

  start(listener: CertificateSourceListener): Promise<void> {
    this.#listener = listener;
    this.#look();
    return Promise.resolve();
  }

  refresh(name: string): Promise<void> {
    const pair = this.#pairs.get(name);
    if (pair === undefined) return Promise.reject(new CertificateError(`no certificate named '${name}'`));
    this.#read(pair);
    return pair.problem === null ? Promise.resolve() : Promise.reject(new CertificateError(pair.problem));
  }

  status(): SourcedCertificateStatus[] {
    return [...this.#pairs.values()].map(({ certificate: { name }, current, problem }) => ({
      name,
      source: this.kind,
      state: problem !== null ? 'failing' : current === null ? 'waiting' : 'ok',
      not_before: current === null ? null : new Date(current.notBeforeMs).toISOString(),
      not_after: current === null ? null : new Date(current.notAfterMs).toISOString(),
      serial: current?.serial ?? null,
      next_attempt: null,
      problem,
    }));
  }

  close(): Promise<void> {
    this.#timer.disable();
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
    this.#listener = null;
    return Promise.resolve();
  }

  #look(): void {
    let unsettled = false;
    for (const pair of this.#pairs.values()) {
      this.#read(pair);
      if (pair.problem !== null && pair.attempts < patience) unsettled = true;
    }
    this.#watchAll();
    this.#timer.enable(unsettled ? settleMs : lookMs);
  }

  #read(pair: FilePair): void {
    const { log } = this.#options;
    const { name, certificatePath } = pair.certificate;
    const before = pair.problem;
    if (pair.read()) {
      const { serial, notAfterMs } = pair.current!;
      log.info(`${name}: ${certificatePath}, serial ${serial}, valid until ${new Date(notAfterMs).toISOString()}`);
      this.#listener?.onCertificate(name, pair.current!);
    } else if (pair.problem !== null && (pair.attempts === patience || (before === null && pair.current === null))) {
      log.error(`${name}: ${pair.problem}${pair.current === null ? '' : '; what was read last stays in use'}`);
    }
  }

  #watchAll(): void {
    const wanted = new Set<string>();
    for (const { certificate } of this.#pairs.values()) {
      for (const path of [certificate.certificatePath, certificate.keyPath])
        for (const folder of foldersToWatch(path)) wanted.add(folder);
    }
    for (const [folder, watch] of this.#watches) {
      if (wanted.has(folder)) continue;
      watch.close();
      this.#watches.delete(folder);
    }
    for (const folder of wanted) if (!this.#watches.has(folder)) this.#watch(folder);
  }

  #watch(folder: string): void {
    const { log, watch = watchDirectory } = this.#options;
    try {
      const made = watch(
        folder,
        () => this.#timer.enable(settleMs),
        () => this.#watches.delete(folder), // looked at again with the next look
      );
      this.#watches.set(folder, made);
    } catch (error) {
      if (log.debugOn) log.debug(`${folder} is not watched, it is looked at: ${(error as Error).message}`);
    }
  }
}

/** One certificate file with its key file. */
class FilePair {
  readonly certificate: WatchedCertificate;
  current: IssuedCertificate | null = null;
  problem: string | null = null;
  /** Reads in a row that ended with the same problem. */
  attempts = 0;
  #seen = '';

  constructor(certificate: WatchedCertificate) {
    this.certificate = certificate;
  }

  /** Reads both files; true when there is a new certificate. */
  read(): boolean {
    try {
      const { certificatePath, keyPath } = this.certificate;
      const chain = requireText(certificatePath);
      const key = requireText(keyPath);
      const content = `${chain}\0${key}`;
      if (content === this.#seen) {
        this.#settle(null);
        return false;
      }
      requireComplete(certificatePath, chain);
      this.current = readIssuedCertificate(chain, key);
      this.#seen = content;
      this.#settle(null);
      return true;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      const { certificatePath, keyPath } = this.certificate;
      const { message } = error;
      const names = message.includes(certificatePath) || message.includes(keyPath);
      this.#settle(names ? message : `${certificatePath} with ${keyPath}: ${message}`);
      return false;
    }
  }

  #settle(problem: string | null): void {
    this.attempts = problem === null || problem !== this.problem ? 1 : this.attempts + 1;
    this.problem = problem;
  }
}

/** A chain that is being written in place may end in the middle, its first certificate being whole. */
function requireComplete(path: string, chain: string): void {
  const count = (line: string): number => chain.split(line).length - 1;
  if (count('-----BEGIN CERTIFICATE-----') !== count('-----END CERTIFICATE-----'))
    throw new CertificateError(`${path} is cut off`);
}

function requireText(path: string): string {
  const octets = readSmallFile(path);
  if (octets === null) throw new CertificateError(`${path} does not exist`);
  return octets.toString('utf8');
}
