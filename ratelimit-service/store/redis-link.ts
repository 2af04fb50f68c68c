import type { Cluster, Redis } from 'ioredis';

/** The way to one server (or to one node of a cluster). */
export interface RedisLink {
  /** What commands go to now; null: there is no connection, and `problem` says why. */
  readonly client: Redis | null;
  readonly problem: string;
  /** Sends again, and to the right node, what a node of a cluster did not take; null elsewhere. */
  readonly redirects: Cluster | null;
  /** The connection is given up and made again, to the address that the name (or the sentinels) give then. */
  renew(): void;
  /** The server works: the next pause before connecting again is a short one. */
  onWorking(): void;
}
