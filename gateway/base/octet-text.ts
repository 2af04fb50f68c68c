import { Buffer } from 'node:buffer';

/**
 * Text with one character an octet (latin-1), as header values are held: a text with other characters becomes its UTF-8
 * octets. Formatted texts are such octet texts, so writing them as latin-1 reproduces header bytes as they came.
 */
export function octetText(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}
