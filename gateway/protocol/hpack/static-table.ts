import { classesOfText } from '../headers/octet-class.ts';
import { type FieldKind, kindOfField, kindOfName } from './field-kind.ts';

const entries: readonly string[] = [
  ':authority',
  ':method=GET',
  ':method=POST',
  ':path=/',
  ':path=/index.html',
  ':scheme=http',
  ':scheme=https',
  ':status=200',
  ':status=204',
  ':status=206',
  ':status=304',
  ':status=400',
  ':status=404',
  ':status=500',
  'accept-charset',
  'accept-encoding=gzip, deflate',
  'accept-language',
  'accept-ranges',
  'accept',
  'access-control-allow-origin',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'etag',
  'expect',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'link',
  'location',
  'max-forwards',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'referer',
  'refresh',
  'retry-after',
  'server',
  'set-cookie',
  'strict-transport-security',
  'transfer-encoding',
  'user-agent',
  'vary',
  'via',
  'www-authenticate',
];

/** Entries of the static table; dynamic indexes begin above. RFC 7541 appendix A. */
export const staticEntries: number = entries.length;

/** Names by index; index 0 is not one. */
export const staticNames: readonly string[] = ['', ...entries.map((entry) => entry.split('=')[0]!)];

/** Values by index. */
export const staticValues: readonly string[] = ['', ...entries.map((entry) => entry.split('=')[1] ?? '')];

/** Kind of each entry's name. */
export const staticNameKinds: readonly FieldKind[] = staticNames.map((name) => kindOfName(name, classesOfText(name)));

/** Kind of each entry as a field. */
export const staticKinds: readonly FieldKind[] = staticNameKinds.map((kind, index) =>
  kindOfField(kind, staticValues[index]!, classesOfText(staticValues[index]!)),
);

/** Lowest index of each name. */
export const staticIndexByName: ReadonlyMap<string, number> = new Map(
  staticNames.map((name, index) => [name, index] as const).reverse(),
);
