import type { SecretSource } from '#gateway/api/secrets.ts';
import { noUses, type SecretUses } from '../rehearsal/secret-uses.ts';
import { FolderWatches } from './folder-watches.ts';

/** What all secrets that come from outside share. */
export interface SecretTools {
  readonly folders: FolderWatches;
  /** Who uses a secret at the moment. */
  usesOf(source: SecretSource<unknown>): SecretUses;
}

/** Tools that know of no users. */
export function plainSecretTools(): SecretTools {
  return { folders: new FolderWatches(), usesOf: () => noUses };
}
