/** What a failed answer is counted as: `ratelimit.redis.<kind>`. */
export type RedisErrorKind =
  | 'timeout'
  | 'breaker_open'
  | 'overflow'
  | 'disconnected'
  | 'garbage'
  | 'readonly'
  | 'loading'
  | 'oom'
  | 'noauth'
  | 'misconf'
  | 'clusterdown'
  | 'masterdown'
  | 'noreplicas'
  | 'busy'
  | 'moved'
  | 'wrongtype'
  | 'other_error';

/** The first word of an error reply. */
const kinds: Readonly<Record<string, RedisErrorKind>> = {
  READONLY: 'readonly',
  LOADING: 'loading',
  OOM: 'oom',
  NOAUTH: 'noauth',
  WRONGPASS: 'noauth',
  NOPERM: 'noauth',
  MISCONF: 'misconf',
  CLUSTERDOWN: 'clusterdown',
  MASTERDOWN: 'masterdown',
  NOREPLICAS: 'noreplicas',
  BUSY: 'busy',
  MOVED: 'moved',
  ASK: 'moved',
  TRYAGAIN: 'moved',
  WRONGTYPE: 'wrongtype',
};

/** What an error of a command means. Errors that are no reply of Redis are those of the connection. */
export function redisErrorKind({ name, message }: Error): RedisErrorKind {
  if (name !== 'ReplyError') return message.endsWith('Please report this.') ? 'garbage' : 'disconnected';
  if (message.startsWith('ERR max number of clients')) return 'disconnected';
  return kinds[message.split(' ', 1)[0]!] ?? 'other_error';
}

/** Whether the server (and not this one key) is at fault, which is what opens the circuit. */
export function isServerFault(kind: RedisErrorKind): boolean {
  return kind !== 'wrongtype' && kind !== 'other_error';
}

/** Whether the server said that it is not the one to ask, so that its address should be asked for again. */
export function isWrongServer(kind: RedisErrorKind): boolean {
  return kind === 'readonly' || kind === 'masterdown';
}
