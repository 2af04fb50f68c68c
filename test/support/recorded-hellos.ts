import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A ClientHello as it went over the wire, in one TLS record, and what Envoy 1.40 says of it. */
export interface RecordedHello {
  readonly name: string;
  readonly serverName: string;
  readonly ja3: string;
  readonly ja4: string;
  readonly hex: string;
}

const file = join(dirname(fileURLToPath(import.meta.url)), '..', 'protocol', 'client-hello', 'recorded-hellos.json');

/** Recorded from openssl, curl, Node, Bun and Deno, and made by hand for what those do not send. */
export const recordedHellos: readonly RecordedHello[] = JSON.parse(readFileSync(file, 'utf8')) as RecordedHello[];
