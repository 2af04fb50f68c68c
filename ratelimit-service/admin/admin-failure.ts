/** Something that was asked for and cannot be done; the message is for whoever asked. */
export class AdminFailure extends Error {
  override readonly name: string = 'AdminFailure';
  /** HTTP status. */
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 503;

  constructor(status: AdminFailure['status'], message: string) {
    super(message);
    this.status = status;
  }
}
