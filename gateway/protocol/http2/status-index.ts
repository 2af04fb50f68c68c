/** The octet that stands for the `:status` fields of the HPACK static table, by status. RFC 7541 appendix A. */
export const statusIndex: Readonly<Record<number, number>> = {
  200: 0x88,
  204: 0x89,
  206: 0x8a,
  304: 0x8b,
  400: 0x8c,
  404: 0x8d,
  500: 0x8e,
};
