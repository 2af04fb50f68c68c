/** What the C library says of errors that connecting can end with; Envoy shows these texts. */
const errorTexts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EPIPE: 'Broken pipe',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EINVAL: 'Invalid argument',
};

/** The transport failure reason of a failed connection attempt: Envoy's wording for socket errors, else as given. */
export function connectFailureReason(details: string): string {
  if (details === 'connect_timeout' || details === '') return '';
  const text = errorTexts[details];
  return text === undefined ? details : `delayed connect error: ${text}`;
}
