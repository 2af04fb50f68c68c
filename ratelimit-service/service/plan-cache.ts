import type { RequestPlan } from '../limiter/plan.ts';

/** Requests of more octets are not kept. */
const maxOctets = 512;

/** A power of two. */
const places = 8192;

/**
 * How many others may ask for a place in vain since its own was seen last. With few, calls with many keys would keep new plans
 * all the time, and what is kept outlives a young collection: the heap would grow until a full one.
 */
const patience = 64;

/**
 * What is to be done for a request, by its octets: the same ones come again and again. Each request has one place, by a hash;
 * one that is seen often keeps it, and among many that are seen once hardly anything is kept, so that they cost no memory
 * that lives long. It costs neither a string nor a Map, which a collector would follow.
 */
export class PlanCache {
  readonly #octets: (Uint8Array | null)[] = new Array<Uint8Array | null>(places).fill(null);
  readonly #plans: (RequestPlan | null)[] = new Array<RequestPlan | null>(places).fill(null);
  readonly #waited: Uint8Array = new Uint8Array(places);
  /** The place that was looked at last. */
  #place = 0;

  /** The plan of the request in `bytes[at, end)`, or null. */
  find(bytes: Uint8Array, at: number, end: number): RequestPlan | null {
    if (end - at > maxOctets) return null;
    let hash = 0x811c_9dc5;
    for (let i = at; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
    const place = (hash ^ (hash >>> 15)) & (places - 1);
    this.#place = place;
    const kept = this.#octets[place]!;
    if (kept === null || kept.length !== end - at) return null;
    for (let i = 0; i < kept.length; i++) if (kept[i] !== bytes[at + i]) return null;
    this.#waited[place] = 0;
    return this.#plans[place]!;
  }

  /** Keeps the plan of the request for which `find` was asked last, if its place is free or has not been used for long. */
  keep(bytes: Uint8Array, at: number, end: number, plan: RequestPlan): void {
    if (end - at > maxOctets) return;
    const place = this.#place;
    if (this.#octets[place] !== null && this.#waited[place]! < patience) {
      this.#waited[place]!++;
      return;
    }
    this.#octets[place] = bytes.slice(at, end);
    this.#plans[place] = plan;
    this.#waited[place] = 0;
  }

  /** Forgets everything: something that plans are made of has changed. */
  clear(): void {
    this.#octets.fill(null);
    this.#plans.fill(null);
    this.#waited.fill(0);
  }
}
