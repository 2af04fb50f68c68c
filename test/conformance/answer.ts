/** One request of a configuration's list. */
export interface Query {
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly port: number;
  readonly tls: boolean;
  readonly sni: string | null;
  /** The route spreads over weighted clusters: which upstream answers is left to chance. */
  readonly weighted: boolean;
}

/** How a proxy answered: either `failed` or the rest. `body` is parsed when it is JSON. */
export interface Answer {
  readonly failed?: string;
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: unknown;
}

/** Both answers to one query; null: the reference did not repeat it, so it is not compared. */
export interface QueryAnswers {
  readonly q: Query;
  readonly h1: Answer | null;
  readonly h2: Answer | null;
}

/** What is recorded of one configuration. */
export interface Recording {
  readonly failed?: string;
  readonly log?: string;
  readonly answers?: readonly QueryAnswers[];
  readonly died?: boolean;
}

/** Headers whose values differ by nature. */
const masked = new Set(
  (
    'date x-request-id x-envoy-upstream-service-time traceparent tracestate b3 age etag x-b3-traceid x-b3-spanid ' +
    'x-b3-parentspanid x-b3-sampled x-client-trace-id x-datadog-trace-id x-datadog-parent-id x-datadog-tags ' +
    'x-datadog-sampling-priority sw8'
  ).split(' '),
);

function mask(name: string, value: string): string {
  if (masked.has(name)) return '*';
  if (name === 'set-cookie') return value.replace(/=[^;]*/, '=*');
  if (name === 'location') return value.replace(/(code_challenge|state|nonce)=[^&]*/g, '$1=*');
  return value;
}

/** Sorted `[name, value]` pairs of a raw header list, pseudo-headers and `connection` left out, moving values masked. */
export function headerPairs(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (!name.startsWith(':') && name !== 'connection') pairs.push([name, mask(name, raw[i + 1]!)]);
  }
  return pairs.sort((a, b) => (a[0] + a[1] < b[0] + b[1] ? -1 : 1));
}

/** Makes an answer of a finished response. Framing headers are left out: they may differ by version. */
export function toAnswer(status: number, raw: readonly string[], body: string): Answer {
  const headers = headerPairs(raw).filter(([name]) => name !== 'transfer-encoding' && name !== 'content-length');
  let parsed: unknown = body;
  try {
    parsed = JSON.parse(body);
  } catch {
    // not JSON: compared as text
  }
  return { status, headers, body: parsed };
}

const lines = (headers: unknown): string[] =>
  Array.isArray(headers) ? headers.map(([name, value]: [string, string]) => `${name}: ${value}`) : [];

const remaining = 'x-ratelimit-remaining: ';

function tokensLeft(headers: readonly string[]): number {
  return Number(headers.find((line) => line.startsWith(remaining))?.slice(remaining.length) ?? Number.NaN);
}

function headerDifference(what: string, reference: unknown, ours: unknown): string | null {
  const [a, b] = [lines(reference), lines(ours)];
  let less = a.filter((line) => !b.includes(line));
  let more = b.filter((line) => !a.includes(line));
  if (tokensLeft(less) <= tokensLeft(more)) {
    // A token bucket that was asked later has been filled meanwhile.
    less = less.filter((line) => !line.startsWith(remaining));
    more = more.filter((line) => !line.startsWith(remaining));
  }
  return less.length + more.length === 0 ? null : `${what}: -${JSON.stringify(less)} +${JSON.stringify(more)}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** In what `ours` differs from the reference, as one line; null when they are equal. */
export function difference(reference: Answer, ours: Answer, weighted: boolean): string | null {
  if (reference.failed !== undefined || ours.failed !== undefined) {
    if (reference.failed === ours.failed) return null;
    return `outcome: ${reference.failed ?? reference.status} / ${ours.failed ?? ours.status}`;
  }
  if (reference.status !== ours.status) return `status: ${reference.status} / ${ours.status}`;
  const inHeaders = headerDifference('response headers', reference.headers, ours.headers);
  if (inHeaders !== null) return inHeaders;
  const [a, b] = [reference.body, ours.body];
  if (!isObject(a) || !isObject(b)) return a === b ? null : `body: ${excerpt(a)} / ${excerpt(b)}`;
  for (const key of ['protocol', 'port', 'method', 'path', 'authority', 'body']) {
    if (!(weighted && key === 'port') && a[key] !== b[key]) return `upstream saw ${key}: ${a[key]} / ${b[key]}`;
  }
  return headerDifference('upstream saw headers', a['headers'], b['headers']);
}

function excerpt(body: unknown): string {
  return JSON.stringify(body)?.slice(0, 80) ?? '';
}
