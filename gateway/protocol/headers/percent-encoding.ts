/** `%XX` of an octet. RFC 3986 section 2.1. */
export function percentEncodeOctet(octet: number): string {
  return `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Replaces `%41` by the octet it stands for (one character each, as latin-1); what is no such escape stays, and so does `+`. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
