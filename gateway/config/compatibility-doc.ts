// Prints docs/compatibility.md as the registry of field classes has it now; with --write it is put in its place.
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { compatibilityDoc } from './support/compatibility-doc.ts';

const text = compatibilityDoc();
if (process.argv.includes('--write')) {
  writeFileSync(new URL('../../docs/compatibility.md', import.meta.url), text);
} else {
  process.stdout.write(text);
}
