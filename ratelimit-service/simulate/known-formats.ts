import { JsonLogReader } from './json-log-reader.ts';
import type { LogReader } from './log-reader.ts';
import { SimulationError } from './simulation-error.ts';
import { TextLogReader } from './text-log-reader.ts';

/** What says how a log is to be read. */
export interface LogFormatOptions {
  /** A name of {@link knownFormats}, a text with `%FIELD%`s, or null: found out from the first line. */
  readonly format: string | null;
  /** Keys of JSON lines by field. */
  readonly jsonKeys: ReadonlyMap<string, string>;
  /** Zone of times that say none, minutes east of Greenwich. */
  readonly zoneMinutes: number;
}

const envoy: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"';
const common: string =
  '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %IDENT% %USER% [%START_TIME%] "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%" ' +
  '%RESPONSE_CODE% %BYTES_SENT%';

/** Formats by name: Envoy's default, Common and Combined Log Format (Apache, nginx), JSON lines. */
export const knownFormats: Readonly<Record<string, string>> = {
  envoy,
  combined: `${common} "%REQ(REFERER)%" "%REQ(USER-AGENT)%"`,
  common,
  json: '',
};

/** Names of {@link knownFormats}, as messages show them. */
export const formatNames: string = Object.keys(knownFormats).join(', ');

/** Makes the reader of the format that was named; null when none was. Throws {@link SimulationError}. */
export function namedLogReader(options: LogFormatOptions): LogReader | null {
  const { format } = options;
  if (format === null) return null;
  if (format.includes('%')) return textReader('--format', format, false, options);
  if (Object.hasOwn(knownFormats, format)) return knownReader(format, options);
  throw new SimulationError(`--format ${format}: it is none of ${formatNames}, nor a text with %FIELD%s`);
}

/** Makes the reader of the first known format that a line is of; null when it is of none. */
export function detectLogReader(options: LogFormatOptions, line: string): LogReader | null {
  for (const name of ['json', 'envoy', 'combined', 'common']) {
    const reader = knownReader(name, options);
    if (reader.read(line)) return reader;
  }
  return null;
}

function knownReader(name: string, options: LogFormatOptions): LogReader {
  return name === 'json'
    ? new JsonLogReader(options.jsonKeys)
    : textReader(name, knownFormats[name]!, name !== 'envoy', options);
}

function textReader(name: string, format: string, escapes: boolean, { zoneMinutes }: LogFormatOptions): LogReader {
  return new TextLogReader({ name, format, escapes, zoneMinutes });
}
