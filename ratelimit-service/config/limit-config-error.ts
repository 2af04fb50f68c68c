/** Why a configuration is refused: `<file>: <problem>`, in the reference service's words. */
export class LimitConfigError extends Error {
  override readonly name: string = 'LimitConfigError';

  constructor(file: string, problem: string) {
    super(`${file}: ${problem}`);
  }
}
