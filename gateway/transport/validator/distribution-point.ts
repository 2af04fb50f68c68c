import { type DerReader, DerTag } from '#gateway/protocol/x509/der.ts';
import { nameKey, readRelativeName } from './distinguished-name.ts';
import { directoryKey, readGeneralNames } from './general-names.ts';

/** One CRL distribution point of a certificate. RFC 5280 section 4.2.1.13. */
export interface DistributionPoint {
  /** Keys of its names, as in GeneralName; null when it has none, which fits any. */
  readonly names: readonly string[] | null;
  /** It covers some reasons only, or names another issuer of its CRL: such points are passed over. */
  readonly partial: boolean;
}

/** Reads CRLDistributionPoints. `issuerParts` are the relative names that a relative point is added to. Throws DerError. */
export function readDistributionPoints(value: DerReader, issuerParts: readonly string[]): DistributionPoint[] {
  const points: DistributionPoint[] = [];
  const list = value.next(DerTag.Sequence).inside();
  value.end();
  while (!list.done) {
    const body = list.next(DerTag.Sequence).inside();
    let names: readonly string[] | null = null;
    let partial = false;
    if (body.peekTag() === 0xa0) names = readPointName(body.next().inside(), issuerParts);
    if (body.peekTag() === 0x81) {
      body.next();
      partial = true;
    }
    if (body.peekTag() === 0xa2) {
      readGeneralNames(body.next().inside());
      partial = true;
    }
    body.end();
    points.push({ names, partial });
  }
  return points;
}

/** Reads a DistributionPointName to the keys of its names. Throws DerError. */
export function readPointName(choice: DerReader, issuerParts: readonly string[]): string[] {
  if (choice.peekTag() === 0xa1) {
    const relative = readRelativeName(choice.next().inside());
    return [directoryKey(nameKey([...issuerParts, relative]))];
  }
  const names = readGeneralNames(choice.next(0xa0).inside());
  choice.end();
  return names.map((name) => name.key);
}
