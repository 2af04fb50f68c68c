// Finds the runtimes that npm installed. Plain JavaScript without dependencies: Node 20 runs it.
//
// npm may have been told not to run install scripts; then node_modules/.bin/bun is a placeholder that fails. So the
// platform's own package is looked up instead, where the real binary always is.
import { accessSync, chmodSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules');

/** Anything smaller is the shell script that stands in for a binary before the install script ran. */
const placeholderOctets = 100_000;

/** Whether this system's C library is musl (Alpine): its binaries are other ones. */
function isMusl() {
  if (process.platform !== 'linux') return false;
  const report = process.report?.getReport?.();
  return report !== undefined && !report.header?.glibcVersionRuntime;
}

/** Whether the processor has AVX2, which all but the "baseline" builds of Bun need. */
function hasAvx2() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return true;
  try {
    return /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return true; // no way to tell: the usual build
  }
}

function candidates(name) {
  const { platform, arch } = process;
  const exe = platform === 'win32' ? '.exe' : '';
  if (name === 'bun') {
    const os = platform === 'win32' ? 'windows' : platform;
    const cpu = arch === 'arm64' ? 'aarch64' : arch;
    const musl = isMusl() ? '-musl' : '';
    const usual = join('@oven', `bun-${os}-${cpu}${musl}`, 'bin', `bun${exe}`);
    const baseline = join('@oven', `bun-${os}-${cpu}${musl}-baseline`, 'bin', `bun${exe}`);
    // Bun's own install script, where it was run, has moved the binary here.
    const moved = join('bun', 'bin', 'bun.exe');
    return hasAvx2() ? [usual, moved, baseline] : [moved, baseline];
  }
  if (name === 'deno') {
    const libc = platform === 'linux' ? '-glibc' : '';
    return [join('@deno', `${platform}-${arch}${libc}`, `deno${exe}`)];
  }
  return [join(`node-${platform === 'win32' ? 'win' : platform}-${arch}`, 'bin', `node${exe}`)];
}

/**
 * Path of the `bun`, `deno` or `node` that npm installed, or null. For `node` the process's own executable will do when it
 * can run TypeScript (22.18 or newer).
 */
export function findBinary(name) {
  for (const candidate of candidates(name)) {
    const path = join(modules, candidate);
    if (!existsSync(path) || statSync(path).size < placeholderOctets) continue;
    try {
      accessSync(path, constants.X_OK);
    } catch {
      chmodSync(path, 0o755); // some installers drop the bit
    }
    return path;
  }
  return name === 'node' && runsTypeScript(process.versions.node) ? process.execPath : null;
}

/** Whether this version of Node runs .ts files as they are. */
export function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/** Arguments that make a runtime run a TypeScript file. */
export function runArguments(name, file, args) {
  if (name === 'deno') return ['run', '-A', '--no-check', '--quiet', file, ...args];
  if (name === 'node') return ['--no-warnings', file, ...args];
  return [file, ...args];
}
