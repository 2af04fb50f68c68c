/** A wrong command line. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}
