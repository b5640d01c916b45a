/**
 * Cleans, tokenises and signs text documents: one JSON row each, ready for deduplication and training.
 *
 *     npx mx8 run examples/corpus/tokenize.job.ts --data documents.tsv --out out --nodes 2 --ram-gb 2
 */
import { createHash } from 'node:crypto';

import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { defineJob, jsonl } from 'mx8/job';

import { encodeSignature, minhash } from './minhash.ts';
import { kindOf, normaliseText, packagePath } from './text.ts';

/** What the output holds of each document. */
export interface DocumentRow {
  /** Below `node_modules`. */
  readonly path: string;
  readonly kind: string;
  /** Of the cleaned text: equal for documents that say the same. */
  readonly sha256: string;
  readonly characters: number;
  /** How many tokens of the o200k vocabulary. */
  readonly tokens: number;
  /** The tokens themselves: little-endian uint32 in base64 (`numpy.frombuffer(…, '<u4')`). */
  readonly token_ids: string;
  readonly minhash: string;
}

/** Documents may talk about special tokens; in them they are ordinary text. */
const PLAIN_TEXT = { disallowedSpecial: new Set<string>() };

export default defineJob({
  input: 'build/corpus/documents.tsv',
  output: jsonl('build/corpus/out'),
  batch: 16,
  process: (batch) => Array.from(batch, (sample) => rowOf(sample.location, sample.bytes)),
});

function rowOf(location: string, bytes: Uint8Array): DocumentRow {
  const text = normaliseText(bytes);
  const tokens = encode(text, PLAIN_TEXT);
  return {
    path: packagePath(location),
    kind: kindOf(location),
    sha256: createHash('sha256').update(text).digest('hex'),
    characters: text.length,
    tokens: tokens.length,
    token_ids: Buffer.from(Uint32Array.from(tokens).buffer).toString('base64'),
    minhash: encodeSignature(minhash(tokens)),
  };
}
