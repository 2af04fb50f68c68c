import { Buffer } from 'node:buffer';
import type { Health, HealthListener } from './health.ts';

/** A Watch call that is open. */
export interface OpenWatch {
  endWatch(): void;
}

/** Which service a health request asks for. */
export type HealthService = 'all' | 'ratelimit' | 'unknown';

/** grpc.health.v1.Health: the server as a whole is always serving, `ratelimit` follows the service's health. */
export class HealthApi {
  readonly #health: Health;
  /** Watches that are open, to be ended when the server stops. */
  readonly watches: Set<OpenWatch> = new Set();

  constructor(health: Health) {
    this.#health = health;
  }

  get healthy(): boolean {
    return this.#health.healthy;
  }

  subscribe(listener: HealthListener): void {
    this.#health.subscribe(listener);
  }

  unsubscribe(listener: HealthListener): void {
    this.#health.unsubscribe(listener);
  }

  /** The service that the HealthCheckRequest in `frame[at..]` names. */
  serviceOf(frame: Uint8Array, at: number): HealthService {
    if (frame.length === at) return 'all';
    if (frame[at] !== 0x0a || frame[at + 1] !== frame.length - at - 2) return 'unknown';
    const name = Buffer.from(frame.buffer, frame.byteOffset + at + 2, frame.length - at - 2).toString('utf8');
    return name === '' ? 'all' : name === 'ratelimit' ? 'ratelimit' : 'unknown';
  }
}

const serving: Uint8Array = Uint8Array.of(0, 0, 0, 0, 2, 0x08, 1);
const notServing: Uint8Array = Uint8Array.of(0, 0, 0, 0, 2, 0x08, 2);
const serviceUnknown: Uint8Array = Uint8Array.of(0, 0, 0, 0, 2, 0x08, 3);

/** A framed HealthCheckResponse; null is SERVICE_UNKNOWN. */
export function healthReply(healthy: boolean | null): Uint8Array {
  return healthy === null ? serviceUnknown : healthy ? serving : notServing;
}
