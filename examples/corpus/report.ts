/** What a corpus engineer wants to know about the output, read back from the committed files. */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { NEAR_SIMILARITY, exactDuplicates, nearDuplicates } from './duplicates.ts';
import type { Fingerprint } from './duplicates.ts';
import { decodeSignature } from './minhash.ts';
import type { DocumentRow } from './tokenize.job.ts';

interface Summary extends Fingerprint {
  readonly kind: string;
  readonly tokens: number;
}

const CLUSTERS_SHOWN = 5;
const number = new Intl.NumberFormat('en-US');

/** Every row of the output, without what the report does not need. */
export async function readOutput(folder: string): Promise<readonly Summary[]> {
  const rows: Summary[] = [];
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  // Below _mx8 is what mx8 keeps for itself, such as what was staged and never committed.
  const parts = files.filter((name) => name.endsWith('.jsonl') && !name.startsWith('_mx8'));
  for (const file of parts.sort()) {
    for await (const line of createInterface({ input: createReadStream(join(folder, file)) })) {
      const row = JSON.parse(line) as DocumentRow;
      const { path, kind, sha256, tokens } = row;
      rows.push({ path, kind, sha256, tokens, signature: decodeSignature(row.minhash) });
    }
  }
  return rows;
}

export function reportText(rows: readonly Summary[]): string {
  const exact = exactDuplicates(rows);
  const near = nearDuplicates(rows);
  const repeated = exact.reduce((sum, group) => sum + group.length - 1, 0);
  const wasted = exact.reduce(
    (sum, group) => sum + (group.length - 1) * (group[0]?.tokens ?? 0),
    0,
  );
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0);
  const nearMembers = near.reduce((sum, group) => sum + group.length, 0);
  return [
    'The corpus',
    `  documents         ${number.format(rows.length)}`,
    `  tokens            ${number.format(tokens)} (o200k)`,
    `  exact duplicates  ${number.format(repeated)} documents, ${number.format(wasted)} tokens`,
    `  near duplicates   ${number.format(nearMembers)} documents in ${number.format(near.length)} clusters (similarity ${NEAR_SIMILARITY} or more)`,
    '',
    'Kinds by tokens',
    ...kindLines(rows, tokens),
    '',
    'Largest clusters of near duplicates',
    ...near.slice(0, CLUSTERS_SHOWN).map(clusterLine),
    '',
  ].join('\n');
}

function kindLines(rows: readonly Summary[], allTokens: number): readonly string[] {
  return [...Map.groupBy(rows, (row) => row.kind)]
    .map(([kind, members]) => ({
      kind,
      documents: members.length,
      tokens: members.reduce((sum, row) => sum + row.tokens, 0),
    }))
    .sort((a, b) => b.tokens - a.tokens)
    .map(({ kind, documents, tokens }) => {
      const share = `${((100 * tokens) / Math.max(1, allTokens)).toFixed(1)}%`;
      return `  ${kind.padEnd(18)}${number.format(tokens).padStart(10)} tokens ${share.padStart(6)}  ${number.format(documents).padStart(6)} documents`;
    });
}

function clusterLine(cluster: readonly Summary[]): string {
  const others = cluster.length > 2 ? ` and ${cluster.length - 2} more` : '';
  return `  ${String(cluster.length).padStart(4)}  ${cluster[0]?.path ?? ''}, ${cluster[1]?.path ?? ''}${others}`;
}
