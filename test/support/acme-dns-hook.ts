// The DNS hook of the tests: `acme-dns-hook.ts MANAGEMENT_PORT add|remove NAME VALUE` talks to pebble-challtestsrv.
import process from 'node:process';

const [port, action, name, value] = process.argv.slice(2);
const path = action === 'add' ? 'set-txt' : 'clear-txt';
const body = action === 'add' ? { host: `${name}.`, value } : { host: `${name}.` };
const answer = await fetch(`http://127.0.0.1:${port}/${path}`, { method: 'POST', body: JSON.stringify(body) });
if (!answer.ok) {
  process.stderr.write(`${path}: HTTP ${answer.status}\n`);
  process.exitCode = 1;
}
