/**
 * What an interrupted pack must be gone on with: recorded beside the output before the first shard. Together with
 * the list of the input it decides every byte of the output.
 */
import { createHash } from 'node:crypto';

import { Mx8Error } from '../core/base/errors.ts';
import { isFormatChoice } from '../core/format/format-name.ts';
import type { FormatChoice } from '../core/format/format-name.ts';
import type { PackTarget } from './pack-target.ts';

/** `auto`: labels if every file has a class and there are at least two; `imagefolder`: labels or an error. */
export type LabelMode = 'auto' | 'imagefolder' | 'none';
export const LABEL_MODES: readonly LabelMode[] = ['auto', 'imagefolder', 'none'];

/** What the user said. */
export interface PackChoices {
  /** As errors name it. */
  readonly input: string;
  readonly labels: LabelMode;
  readonly shardBytes: number;
  readonly format: FormatChoice | null;
  readonly columns: readonly string[] | null;
}

export interface PackPlan extends PackChoices {
  readonly sampleCount: number;
  /** Hex SHA-256 of the list. */
  readonly listHash: string;
}

/** Of the layout of shards and lists; another one is another plan. */
const VERSION = 1;

export function encodePlan(plan: PackPlan): string {
  return `${JSON.stringify({
    version: VERSION,
    input: plan.input,
    labels: plan.labels,
    shard_bytes: plan.shardBytes,
    format: plan.format,
    columns: plan.columns,
    samples: plan.sampleCount,
    list_sha256: plan.listHash,
  })}\n`;
}

/** `pack_not_resumable` where it is no plan of this version. */
export function decodePlan(text: string, where: string): PackPlan {
  const fields = new Map<string, unknown>(Object.entries(parsed(text)));
  const [input, labels] = [fields.get('input'), fields.get('labels')];
  const [shardBytes, sampleCount] = [fields.get('shard_bytes'), fields.get('samples')];
  const listHash = fields.get('list_sha256');
  const mode = LABEL_MODES.find((one) => one === labels);
  const format = formatOf(fields.get('format'));
  const columns = columnsOf(fields.get('columns'));
  if (
    fields.get('version') !== VERSION ||
    typeof input !== 'string' ||
    mode === undefined ||
    typeof shardBytes !== 'number' ||
    typeof sampleCount !== 'number' ||
    typeof listHash !== 'string' ||
    format === undefined ||
    columns === undefined
  ) {
    const text = `${where} is no plan that this version of mx8 made, so it cannot go on with that pack. Give --refresh to begin anew.`;
    throw new Mx8Error('pack_not_resumable', text, { path: where });
  }
  return { input, labels: mode, shardBytes, sampleCount, listHash, format, columns };
}

/** Names the plan, and what is made by it. */
export function planIdOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** `pack_not_resumable` where the user wants something else now. */
export function checkChoices(
  { root, isPublished, occupied }: Pick<PackTarget, 'root' | 'isPublished' | 'occupied'>,
  plan: PackPlan,
  now: PackChoices,
): void {
  const [was, is] = [choicesText(plan), choicesText(now)];
  const differences = [...is.keys()].filter((name) => was.get(name) !== is.get(name));
  if (differences.length === 0) return;
  if (isPublished) throw occupied;
  const what = differences.map((name) => `${was.get(name) ?? ''}, now ${is.get(name) ?? ''}`);
  throw new Mx8Error(
    'pack_not_resumable',
    `An interrupted pack into ${root} began with ${what.join('; with ')}. Give what it began with to go on, or --refresh to begin anew, which removes its shards.`,
    { path: root, differs: differences.join(',') },
  );
}

function choicesText(choices: PackChoices): ReadonlyMap<string, string> {
  const { input, labels, shardBytes, format, columns } = choices;
  return new Map([
    ['input', `the input ${input}`],
    ['labels', `--labels ${labels}`],
    ['shard-size', `--shard-size ${shardBytes}`],
    ['format', format === null ? 'no --format' : `--format ${format}`],
    ['columns', columns === null ? 'no --columns' : `--columns ${columns.join(',')}`],
  ]);
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function formatOf(value: unknown): FormatChoice | null | undefined {
  if (value === null) return null;
  return typeof value === 'string' && isFormatChoice(value) ? value : undefined;
}

function columnsOf(value: unknown): readonly string[] | null | undefined {
  if (value === null) return null;
  if (!Array.isArray(value)) return undefined;
  const names = value as readonly unknown[];
  return names.every((name) => typeof name === 'string') ? names : undefined;
}
