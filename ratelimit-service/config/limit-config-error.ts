/** Why a configuration is refused: `<file>: <problem>`, in the reference service's words. */
export class LimitConfigError extends Error {
  override readonly name: string = 'LimitConfigError';
  /** Where in the file, and what would be right; empty where the problem says it itself. */
  readonly hint: string;

  /** `line` is 0 for what did not come from a file. */
  constructor(file: string, problem: string, line = 0, advice = '') {
    super(`${file}: ${problem}`);
    this.hint = [line === 0 ? '' : `line ${line}`, advice].filter((part) => part !== '').join(': ');
  }

  /** The message with the hint behind it. */
  get explained(): string {
    return this.hint === '' ? this.message : `${this.message} (${this.hint})`;
  }
}
