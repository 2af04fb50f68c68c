import { Buffer } from 'node:buffer';
import { formatIp, parseIp } from '#gateway/base/ip.ts';
import { nearestName } from '#gateway/base/nearest-name.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import { percentDecode } from '#gateway/protocol/headers/percent-encoding.ts';
import { alternatives, fieldName, parseLogFormat } from './log-format.ts';
import type { FieldGetter, LogReader } from './log-reader.ts';
import { SimulationError } from './simulation-error.ts';

/** A text with fields in it; null when one of them is absent. */
export type TextGetter = () => string | null;

/**
 * The fields of a log by the names of Envoy's command operators: those that the log has, and those that follow from them (an
 * address without its port, the path without the query, the client's address from x-forwarded-for).
 */
export class LogFields {
  readonly #reader: LogReader;
  readonly #trustedHops: number;
  readonly #asked = new Map<string, FieldGetter>();

  /** `trustedHops`: how many addresses at the end of x-forwarded-for are those of trusted proxies. */
  constructor(reader: LogReader, trustedHops: number) {
    this.#reader = reader;
    this.#trustedHops = trustedHops;
  }

  /** The field, or null when the log cannot have it. */
  find(name: string): FieldGetter | null {
    const known = this.#asked.get(name);
    if (known !== undefined) return known;
    const getter = this.#derived(name);
    if (getter !== null) this.#asked.set(name, getter);
    return getter;
  }

  /**
   * A text with `%FIELD%`s; with `lenient` those that are absent are empty. Throws {@link SimulationError} naming a field that
   * the log does not have.
   */
  text(template: string, lenient = false): TextGetter {
    const parts = parseLogFormat(template).map((part) => {
      if (typeof part === 'string') return part;
      const getter = this.#required(part.name);
      return lenient ? () => getter() ?? '' : getter;
    });
    const [first] = parts;
    if (parts.length === 0) return () => '';
    if (parts.length === 1) return typeof first === 'string' ? () => first : first!;
    return () => {
      let text = '';
      for (const part of parts) {
        const value = typeof part === 'string' ? part : part();
        if (value === null) return null;
        text += value;
      }
      return text;
    };
  }

  #required(name: string): FieldGetter {
    const getter = this.find(name);
    if (getter !== null) return getter;
    const { fieldNames } = this.#reader;
    const near = nearestName(name, [...fieldNames, ...fieldNames.flatMap(alternatives)]);
    const hint = near === null ? `it has ${fieldNames.map((own) => `%${own}%`).join(', ')}` : `did you mean %${near}%?`;
    throw new SimulationError(`the log (${this.#reader.name}) has no field %${name}%; ${hint}`);
  }

  #derived(name: string): FieldGetter | null {
    // What a log of any keys calls a thing is known only from its lines: what follows from others is tried when it is absent.
    const open = this.#reader.fieldNames.length === 0;
    const own = this.#reader.field(name);
    if (own !== null && !open) return own;
    const following = this.#following(name);
    if (own === null || following === null) return own ?? following;
    return () => own() ?? following();
  }

  #following(name: string): FieldGetter | null {
    const [, operator, params = ''] = /^([A-Z_]+)(?:\((.*)\))?$/.exec(name) ?? [];
    if (operator === 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT' && params !== '') return this.#masked(params);
    if (operator === 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT') return this.#remoteAddress();
    if (operator === 'REQ_WITHOUT_QUERY') {
      return map(this.find(fieldName('REQ', params)), (value) => value.split('?', 1)[0]!);
    }
    if (operator === 'PATH') {
      const path = this.find('REQ(:PATH)');
      return params.startsWith('NQ') ? map(path, (value) => value.split('?', 1)[0]!) : path;
    }
    if (operator === 'QUERY_PARAM') return map(this.find('REQ(:PATH)'), (value) => queryParameter(value, params, asIs));
    if (operator === 'DECODED_QUERY_PARAM') {
      return map(this.find('REQ(:PATH)'), (value) => queryParameter(value, params, decoded));
    }
    if (operator === 'REQ' && params.includes('?')) {
      const getters = params.split('?').map((header) => this.find(fieldName('REQ', header)));
      const [first, second] = [getters[0] ?? null, getters[1] ?? null];
      return first === null || second === null ? (first ?? second) : () => first() ?? second();
    }
    return null;
  }

  #remoteAddress(): FieldGetter | null {
    const withPort = map(this.#reader.field('DOWNSTREAM_REMOTE_ADDRESS'), withoutPort);
    const hops = this.#trustedHops;
    const forwarded = map(this.#reader.field('REQ(X-FORWARDED-FOR)'), (value) => {
      const addresses = value.split(',');
      return addresses[addresses.length - 1 - hops]?.trim() || null;
    });
    if (withPort === null || forwarded === null) return withPort ?? forwarded;
    return () => withPort() ?? forwarded();
  }

  #masked(params: string): FieldGetter {
    const lengths = params.split(',').map(Number);
    const wrong =
      lengths.length > 2 || lengths.some((length) => !Number.isInteger(length) || length < 0 || length > 128);
    if (wrong)
      throw new SimulationError(`%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(${params})%: these are no prefix lengths`);
    const address = this.#required('DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT');
    return map(address, (value) => maskedAddress(value, lengths[0]!, lengths[1] ?? lengths[0]!))!;
  }
}

function map(getter: FieldGetter | null, change: (value: string) => string | null): FieldGetter | null {
  if (getter === null) return null;
  return () => {
    const value = getter();
    return value === null ? null : change(value);
  };
}

/** `10.0.0.1:80` and `[::1]:80` without the port. */
function withoutPort(address: string): string {
  if (address.startsWith('[')) return address.slice(1, address.indexOf(']'));
  const colon = address.indexOf(':');
  return colon === -1 || colon !== address.lastIndexOf(':') ? address : address.slice(0, colon);
}

/** `10.1.2.3` as `10.1.2.0/24`; null when it is no address. */
function maskedAddress(text: string, length4: number, length6: number): string | null {
  const ip = parseIp(text);
  if (ip === null) return null;
  const size = ip.family === 4 ? 32 : 128;
  const length = Math.min(size, ip.family === 4 ? length4 : length6);
  const shift = BigInt(size - length);
  return `${formatIp({ family: ip.family, bits: (ip.bits >> shift) << shift })}/${length}`;
}

const asIs = (text: string): string => text;

/** Percent-decoded, octet by octet, as UTF-8. */
function decoded(text: string): string {
  if (!text.includes('%')) return text;
  return Buffer.from(percentDecode(octetText(text)), 'latin1').toString('utf8');
}

function queryParameter(path: string, name: string, read: (text: string) => string): string | null {
  const question = path.indexOf('?');
  if (question === -1) return null;
  for (const pair of path
    .slice(question + 1)
    .split('#', 1)[0]!
    .split('&')) {
    const equals = pair.indexOf('=');
    if (read(equals === -1 ? pair : pair.slice(0, equals)) !== name) continue;
    return equals === -1 ? '' : read(pair.slice(equals + 1));
  }
  return null;
}
