import type { AcmeSurroundings } from '../acme/open-acme.ts';
import type { CertificateSource } from './certificate-source.ts';
import { type WatchedCertificate, WatchedFiles } from './watched-files.ts';

/** Sources besides the own authority. */
export interface SourceOptions {
  readonly watched: readonly WatchedCertificate[];
  /** Configuration of `sluice certs acme` (YAML), or null. */
  readonly acmeConfig: string | null;
}

/** Sources that are open, though not started. */
export interface OpenSources {
  readonly sources: readonly CertificateSource[];
  /** Ends what the sources need besides themselves; to be called after they are closed. */
  close(): Promise<void>;
}

/** Opens the sources that the options name. Throws `CertificateError` or `UsageError`; nothing stays open then. */
export async function openSources(options: SourceOptions, surroundings: AcmeSurroundings): Promise<OpenSources> {
  const sources: CertificateSource[] = [];
  let close = (): Promise<void> => Promise.resolve();
  if (options.acmeConfig !== null) {
    const { openAcmeConfig } = await import('../acme/open-acme-config.ts');
    const acme = await openAcmeConfig(options.acmeConfig, surroundings);
    sources.push(acme.source);
    close = () => acme.close();
  }
  if (options.watched.length > 0) sources.push(new WatchedFiles({ ...surroundings, certificates: options.watched }));
  return { sources, close };
}
