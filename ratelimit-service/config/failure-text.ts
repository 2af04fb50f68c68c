/** What the system's codes mean to somebody who wrote a setting. */
const fileTexts: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
};

const listenTexts: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use; end what listens there, or choose another',
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/** Why a file could not be read, without the name of the system call. */
export function fileFailure(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return fileTexts[code] ?? message;
}

/** Why nothing can listen where `settings`, such as `PORT=8080`, say. */
export function listenFailure(settings: string, error: unknown): Error {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new Error(`${settings}: ${listenTexts[code] ?? message}`, { cause: error });
}

/** Does what a setting names a file for; a failure tells the setting and the path. */
export function withNamedFile<T>(setting: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Error(`${setting}=${path}: ${fileFailure(error)}`, { cause: error });
  }
}
