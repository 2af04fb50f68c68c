import { ResponseTimes } from './response-times.ts';

/** Calls of one gRPC method. */
export class MethodStats {
  /** `ShouldRateLimit`, `Check`, ... */
  readonly method: string;
  requests = 0;
  /** Of calls with one request and one reply that were answered. */
  readonly responseTimes: ResponseTimes = new ResponseTimes();

  constructor(method: string) {
    this.method = method;
  }
}
