/** The only source of chance outside seeded orders. Made once in `cli/` (or a fake in tests). */
export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Cryptographically strong bytes, for ids and nonces. */
  bytes(count: number): Uint8Array;
}
