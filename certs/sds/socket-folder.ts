import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import type { Address } from '#gateway/base/address.ts';
import { CertificateError } from '../ca/issued-certificate.ts';

/** Write bits of group and others. */
const writableByOthers = 0o022;
const stickyBit = 0o1000;

/** Why a unix socket cannot be guarded by its folder. */
export class SocketFolderError extends CertificateError {
  override readonly name: string = 'SocketFolderError';
}

/**
 * Makes sure that nobody else can put another socket in place of ours: the folder belongs to this user or root, and only they
 * write there (or it is sticky, as the system's folder for temporary files). Throws {@link SocketFolderError}. Abstract
 * sockets have no folder and no mode, and are refused.
 */
export function checkSocketFolder(address: Address): void {
  if (address.host.startsWith('@')) {
    throw new SocketFolderError(`unix:${address.host}: an abstract socket has no mode that could guard it`);
  }
  const folder = dirname(address.host);
  let found: { readonly uid: number; readonly mode: number; isDirectory(): boolean };
  try {
    found = statSync(folder);
  } catch {
    throw new SocketFolderError(`unix:${address.host}: there is no folder ${folder}`);
  }
  if (!found.isDirectory()) throw new SocketFolderError(`unix:${address.host}: ${folder} is not a folder`);
  const own = process.getuid?.() ?? found.uid;
  if (found.uid !== own && found.uid !== 0) {
    throw new SocketFolderError(`unix:${address.host}: the folder ${folder} belongs to another user`);
  }
  if ((found.mode & writableByOthers) !== 0 && (found.mode & stickyBit) === 0) {
    throw new SocketFolderError(
      `unix:${address.host}: the folder ${folder} can be written by others (mode ${(found.mode & 0o7777).toString(8)})`,
    );
  }
  refuseForeignSocket(address.host, own);
}

// What an earlier process of ours left gives way; what another user put there does not.
function refuseForeignSocket(path: string, own: number): void {
  let uid: number;
  try {
    uid = lstatSync(path).uid;
  } catch {
    return; // nothing there
  }
  if (uid !== own) throw new SocketFolderError(`unix:${path}: the file there belongs to another user`);
}
