/** `defineJob`: what a user's job module exports by default. */
import { Mx8Error } from '../core/base/errors.ts';
import type { LeaseId, NodeId } from '../core/base/units.ts';
import { FORMAT_CHOICES, isFormatChoice } from '../core/format/format-name.ts';
import { ROWS_PER_SAMPLE_MAX } from '../core/format/limits.ts';
import type { FormatChoice } from '../core/format/format-name.ts';
import type { JobBatch } from './batch.ts';
import {
  BATCH_SAMPLES_MAX,
  NAME_OF_JOB_CHARS_MAX,
  RETRIES_DEFAULT,
  RETRIES_MAX,
} from './limits.ts';
import type { Sink } from './sink.ts';

export interface JobContext {
  /** Aborts when the work in hand no longer counts: stop soon. */
  readonly signal: AbortSignal;
  readonly nodeId: NodeId;
  readonly leaseId: LeaseId;
  /** How often these samples were tried before in this process; 0 at first. */
  readonly attempt: number;
  /** Writes a structured log line of the job; fields are snake_case, without credentials. */
  log(event: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void;
}

export interface JobOptions<Row> {
  /** Shown on screens and in logs; default: the module's file name. */
  readonly name?: string;
  /** Data set link; may be given by --data instead. */
  readonly input?: string;
  /**
   * What a sample of the input is: `files`, `jsonl`, `webdataset`, `mds`, `csv`, `parquet`, `arrow`, or `auto` for what the names of
   * the files say; may be given by --format instead. By default each file of a folder is one.
   */
  readonly format?: FormatChoice;
  /** What a row of a Parquet or Arrow file is made of; may be given by --columns instead. All columns by default. */
  readonly columns?: readonly string[];
  /**
   * Of Parquet and Arrow files: so many rows, of one row group, are a sample, as columns (`sample.columns()`); may be
   * given by --rows-per-sample instead. By default each row is one, as JSON.
   */
  readonly rowsPerSample?: number;
  /** Samples per call of process(), 1 to 65,536. A call may get fewer. */
  readonly batch: number;
  /** Further tries of a failing sample, 0 to 100; default 2. */
  readonly retries?: number;
  /**
   * Makes rows of samples, in a worker process. A failure is tried again, so it must not depend on
   * being called once; only what is returned counts. Rows are in the order of the samples; where a row
   * belongs to another sample than its place says, or samples have none, it names its `sampleId`.
   */
  readonly process: (
    batch: JobBatch,
    ctx: JobContext,
  ) => Iterable<NoInfer<Row>> | Promise<Iterable<NoInfer<Row>>>;
  readonly output: Sink<Row>;
}

/** A checked job. Made by `defineJob` only; the mark survives two copies of the package. */
export interface JobDefinition<Row = unknown> {
  readonly [JOB_MARK]: 1;
  readonly name: string | null;
  readonly input: string | null;
  readonly format: FormatChoice | null;
  readonly columns: readonly string[] | null;
  readonly rowsPerSample: number | null;
  readonly batch: number;
  readonly retries: number;
  readonly process: (batch: JobBatch, ctx: JobContext) => Iterable<Row> | Promise<Iterable<Row>>;
  readonly output: Sink<Row>;
}

export const JOB_MARK: unique symbol = Symbol.for('mx8.job.1');

const KNOWN_OPTIONS: ReadonlySet<string> = new Set([
  'name',
  'input',
  'format',
  'columns',
  'rowsPerSample',
  'batch',
  'retries',
  'process',
  'output',
]);

const KIND_PATTERN = /^[a-z0-9-]{1,64}$/;

/** Checks the options once and gives them defaults; `job_options_invalid` names the option. */
export function defineJob<Row>(options: JobOptions<Row>): JobDefinition<Row> {
  if (typeof options !== 'object' || options === null) {
    throw invalid('options', 'an object', options);
  }
  for (const key of Object.keys(options)) {
    if (KNOWN_OPTIONS.has(key)) continue;
    const known = [...KNOWN_OPTIONS].join(', ');
    const message = `defineJob has no option "${key}"; it takes ${known}`;
    throw new Mx8Error('job_options_invalid', message, { option: key });
  }
  const {
    name,
    input,
    format,
    columns,
    rowsPerSample,
    batch,
    retries = RETRIES_DEFAULT,
    process,
    output,
  } = options;
  if (name !== undefined) checkText('name', name, NAME_OF_JOB_CHARS_MAX);
  if (input !== undefined) checkText('input', input, Infinity);
  if (format !== undefined && !isFormatChoice(format)) {
    throw invalid('format', `one of ${FORMAT_CHOICES.join(', ')}`, format);
  }
  if (columns !== undefined) checkColumns(columns);
  if (rowsPerSample !== undefined) {
    checkWhole('rowsPerSample', rowsPerSample, 1, ROWS_PER_SAMPLE_MAX);
  }
  checkWhole('batch', batch, 1, BATCH_SAMPLES_MAX);
  checkWhole('retries', retries, 0, RETRIES_MAX);
  if (typeof process !== 'function') throw invalid('process', 'a function', process);
  checkSink(output);
  return Object.freeze({
    [JOB_MARK]: 1,
    name: name ?? null,
    input: input ?? null,
    format: format ?? null,
    columns: columns ?? null,
    rowsPerSample: rowsPerSample ?? null,
    batch,
    retries,
    process,
    output,
  } satisfies JobDefinition<Row>);
}

export function isJobDefinition(value: unknown): value is JobDefinition {
  return typeof value === 'object' && value !== null && JOB_MARK in value && value[JOB_MARK] === 1;
}

function checkText(option: string, value: unknown, charsMax: number): void {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= charsMax) return;
  const most = charsMax === Infinity ? '' : ` of at most ${charsMax} characters`;
  throw invalid(option, `a text${most}`, value);
}

function checkColumns(value: unknown): void {
  const isNames = Array.isArray(value) && value.length > 0;
  if (isNames && value.every((name) => typeof name === 'string' && name !== '')) return;
  throw invalid('columns', 'a list of names of columns', value);
}

function checkWhole(option: string, value: unknown, min: number, max: number): void {
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return;
  throw invalid(option, `a whole number from ${min} to ${max}`, value);
}

function checkSink(value: unknown): void {
  const sinks = 'a sink: jsonl(dir), parquet(dir), files(dir), tar(dir) or your own';
  if (typeof value !== 'object' || value === null) throw invalid('output', sinks, value);
  const { kind, dir, openPart } = value as Partial<Record<keyof Sink<unknown>, unknown>>;
  if (typeof openPart !== 'function') throw invalid('output.openPart', 'a function', openPart);
  if (typeof kind !== 'string' || !KIND_PATTERN.test(kind)) {
    throw invalid('output.kind', '1 to 64 of a-z, 0-9 and "-"', kind);
  }
  if (dir !== null && (typeof dir !== 'string' || dir === '')) {
    throw invalid('output.dir', 'a folder, or null when --out gives it', dir);
  }
}

function invalid(option: string, expected: string, got: unknown): Mx8Error {
  const message = `defineJob: ${option} takes ${expected}, got ${shown(got)}`;
  return new Mx8Error('job_options_invalid', message, { option });
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : 'an object';
  }
  return String(value);
}
