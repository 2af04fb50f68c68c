const maxCharacters = 500;

/** A peer's text for a log line: in one line, without control characters, and not long. */
export function printable(text: string): string {
  const shown = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}... (${text.length} characters)` : text;
  return shown.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
