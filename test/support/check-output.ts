/**
 * An independent check of a job's output: reads the input manifest and the committed output with
 * nothing but Node's own file functions and demands that every input sample appears exactly once.
 *
 *     node test/support/check-output.ts INPUT_MANIFEST.tsv OUTPUT_FOLDER
 *
 * Rows are JSON lines with the input's `sample_id` and, where the job gives one, the `sha256` of what it
 * read, which is compared with the input file.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface OutputReport {
  readonly inputs: number;
  readonly rows: number;
  readonly missing: readonly number[];
  readonly repeated: readonly number[];
  readonly foreign: readonly number[];
  readonly altered: readonly number[];
  readonly quarantined: number;
}

interface Row {
  readonly sample_id: number;
  readonly sha256?: string;
}

export function checkOutput(manifestPath: string, outputFolder: string): OutputReport {
  const locations = new Map<number, string>();
  for (const line of readFileSync(manifestPath, 'utf8').split('\n')) {
    const [id = '', location = ''] = line.split('\t');
    if (/^\d+$/.test(id)) locations.set(Number(id), location);
  }
  const seen = new Map<number, number>();
  const altered: number[] = [];
  const foreign: number[] = [];
  let rows = 0;
  for (const name of readdirSync(outputFolder).sort()) {
    if (!name.endsWith('.jsonl')) continue;
    for (const line of readFileSync(join(outputFolder, name), 'utf8').split('\n')) {
      if (line === '') continue;
      rows += 1;
      const row = JSON.parse(line) as Row;
      seen.set(row.sample_id, (seen.get(row.sample_id) ?? 0) + 1);
      const location = locations.get(row.sample_id);
      if (location === undefined) foreign.push(row.sample_id);
      else if (row.sha256 !== undefined && row.sha256 !== sha256Of(location))
        altered.push(row.sample_id);
    }
  }
  const quarantine = join(outputFolder, '_mx8', 'quarantine.jsonl');
  const quarantined = existsSync(quarantine)
    ? readFileSync(quarantine, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];
  for (const line of quarantined) {
    const id = (JSON.parse(line) as Row).sample_id;
    seen.set(id, (seen.get(id) ?? 0) + 1);
  }
  return {
    inputs: locations.size,
    rows,
    missing: [...locations.keys()].filter((id) => !seen.has(id)),
    repeated: [...seen].filter(([, count]) => count > 1).map(([id]) => id),
    foreign,
    altered,
    quarantined: quarantined.length,
  };
}

function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

const [, script = '', manifestPath, outputFolder] = process.argv;
if (script.endsWith('check-output.ts')) {
  if (manifestPath === undefined || outputFolder === undefined) {
    console.error('usage: node test/support/check-output.ts INPUT_MANIFEST.tsv OUTPUT_FOLDER');
    process.exit(2);
  }
  const report = checkOutput(manifestPath, outputFolder);
  console.log(JSON.stringify(report));
  const { missing, repeated, foreign, altered } = report;
  const isRight = [missing, repeated, foreign, altered].every((ids) => ids.length === 0);
  process.exitCode = isRight ? 0 : 1;
}
