import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc/PID/stat: fixed at 100 on Linux for user space. */
const ticksPerSecond = 100;

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it has just ended
  }
}

/** A process and all its descendants. */
export function processTree(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readProc(Number(entry), 'stat');
    parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0));
  }
  const tree = [pid];
  for (let i = 0; i < tree.length; i++) {
    for (const [child, parent] of parents) if (parent === tree[i]) tree.push(child);
  }
  return tree;
}

/** User and system time that a process tree has used, microseconds. */
export function cpuMicros(pid: number): number {
  let ticks = 0;
  for (const member of processTree(pid)) {
    const stat = readProc(member, 'stat');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return (ticks * 1e6) / ticksPerSecond;
}

/** Resident memory of a process tree, KiB. */
export function residentKib(pid: number): number {
  let kib = 0;
  for (const member of processTree(pid)) kib += Number(/VmRSS:\s+(\d+)/.exec(readProc(member, 'status'))?.[1] ?? 0);
  return kib;
}
