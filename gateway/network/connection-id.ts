let last = 0;

/** The next %CONNECTION_ID%: unique in this process, downstream and upstream alike. */
export function nextConnectionId(): number {
  last++;
  return last;
}
