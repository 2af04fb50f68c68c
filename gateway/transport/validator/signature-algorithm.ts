import { type DerReader, DerTag } from '#gateway/protocol/x509/der.ts';

/** Digest of each signature algorithm, by object identifier; '' where the algorithm brings its own. RFC 8017, 5758, 8410. */
const digests: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.5': 'sha1',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.1': 'sha1',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': '',
};

/** The digest that an AlgorithmIdentifier names, '' for one that needs none, or null for an unknown algorithm. */
export function signatureDigest(algorithm: DerReader): string | null {
  const oid = algorithm.next(DerTag.Sequence).inside().next(DerTag.Oid).oid();
  return digests[oid] ?? null;
}
