/**
 * The sidecar of a staged piece: which files it consists of, which bytes of them are output records,
 * and which samples were quarantined with what error. One line of tab-separated fields each:
 *
 *   mx8-piece  1  <lease id>  <start>  <end>  <bytes of the samples read; absent in older ones>
 *   f  <name below the lease's staging folder>  <final name below the output folder>  [<offset>  <length>]
 *   r  <number of its f line>  <offset> <length>, or two empty fields for the whole file  <bytes>  <sample id or empty>  [<decode hint>]
 *   q  <JSON of the quarantined sample>
 *   end  <number of the lines above>
 *
 * It is written once, whole and durable, after the files it names; so what it says is there is there.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { SampleRange } from '../core/base/range.ts';
import { isLeaseId, type LeaseId } from '../core/base/units.ts';
import type { StagedPiece } from '../core/node/holder-protocol.ts';
import type { StagedFile } from '../ports/output-store.ts';

export interface PieceFile extends StagedFile {
  readonly final: string;
}

export interface PieceRecord {
  /** Index into `files`. */
  readonly file: number;
  /** Null when the file as a whole is the record. */
  readonly span: { readonly offset: number; readonly length: number } | null;
  readonly bytes: number;
  readonly sampleId: number | null;
  /** '' where the sample is the bytes of the record. */
  readonly hint: string;
}

export interface QuarantinedSample {
  readonly sampleId: number;
  readonly location: string;
  readonly code: string;
  readonly message: string;
}

export interface PieceIndex extends SampleRange {
  readonly leaseId: LeaseId;
  /** Of the samples that were read for it. */
  readonly inputBytes: number;
  readonly files: readonly PieceFile[];
  readonly records: readonly PieceRecord[];
  /** Ascending by sample id. */
  readonly quarantined: readonly QuarantinedSample[];
}

/** What the coordinator is told of the piece. */
export function asStagedPiece(index: PieceIndex): StagedPiece {
  const { leaseId, start, end, inputBytes, records } = index;
  const bytes = records.reduce((sum, record) => sum + record.bytes, 0);
  const quarantined = index.quarantined.map((sample) => sample.sampleId);
  return { leaseId, start, end, rows: records.length, bytes, inputBytes, quarantined };
}

export function encodePieceIndex(index: PieceIndex): string {
  const { leaseId, start, end, inputBytes } = index;
  const lines = [`mx8-piece\t1\t${leaseId}\t${start}\t${end}\t${inputBytes}`];
  for (const { staged, span, final } of index.files) {
    const where = span === null ? '' : `\t${span.offset}\t${span.length}`;
    lines.push(`f\t${staged}\t${final}${where}`);
  }
  for (const { file, span, bytes, sampleId, hint } of index.records) {
    const where = span === null ? '\t' : `${span.offset}\t${span.length}`;
    const how = hint === '' ? '' : `\t${hint}`;
    lines.push(`r\t${file}\t${where}\t${bytes}\t${sampleId ?? ''}${how}`);
  }
  for (const { sampleId, location, code, message } of index.quarantined) {
    lines.push(`q\t${JSON.stringify({ sample_id: sampleId, location, code, message })}`);
  }
  return `${lines.join('\n')}\nend\t${lines.length}\n`;
}

/** `path` is for the error, should the bytes not be what was written. */
export function decodePieceIndex(text: string, path: string): PieceIndex {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.pop() !== `end\t${lines.length}`) {
    throw damaged(path, lines.length + 1, 'the end is missing');
  }
  const [mark, version, leaseId = '', start, end, inputBytes = '0'] = (lines[0] ?? '').split('\t');
  if (mark !== 'mx8-piece' || version !== '1' || !isLeaseId(leaseId)) {
    throw damaged(path, 1, 'it is no index of a staged piece');
  }
  const files: PieceFile[] = [];
  const records: PieceRecord[] = [];
  const quarantined: QuarantinedSample[] = [];
  for (let number = 1; number < lines.length; number += 1) {
    const line = lines[number] ?? '';
    const fields = line.split('\t');
    if (fields[0] === 'f' && (fields.length === 3 || fields.length === 5)) {
      files.push(asFile(fields, path, number + 1));
    } else if (fields[0] === 'r' && (fields.length === 6 || fields.length === 7)) {
      records.push(asRecord(fields, files.length, path, number + 1));
    } else if (fields[0] === 'q') {
      quarantined.push(asQuarantined(line.slice(2), path, number + 1));
    } else throw damaged(path, number + 1, 'it has no meaning');
  }
  const range = { start: whole(start, path, 1), end: whole(end, path, 1) };
  return {
    leaseId,
    ...range,
    inputBytes: whole(inputBytes, path, 1),
    files,
    records,
    quarantined,
  };
}

function asFile(
  [, staged = '', final = '', offset, length]: readonly string[],
  path: string,
  line: number,
): PieceFile {
  if (offset === undefined) return { staged, span: null, final };
  const span = { offset: whole(offset, path, line), length: whole(length, path, line) };
  return { staged, span, final };
}

function asRecord(
  fields: readonly string[],
  fileCount: number,
  path: string,
  line: number,
): PieceRecord {
  const [, file, offset, length, bytes, sampleId, hint = ''] = fields;
  const number = whole(file, path, line);
  if (number >= fileCount) throw damaged(path, line, `there is no file ${number}`);
  const span =
    offset === '' ? null : { offset: whole(offset, path, line), length: whole(length, path, line) };
  const id = sampleId === '' ? null : whole(sampleId, path, line);
  return { file: number, span, bytes: whole(bytes, path, line), sampleId: id, hint };
}

function asQuarantined(json: string, path: string, line: number): QuarantinedSample {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw damaged(path, line, 'it is not JSON');
  }
  const fields = value as Record<string, unknown>;
  const { sample_id: sampleId, location, code, message } = fields;
  if (
    typeof sampleId !== 'number' ||
    typeof location !== 'string' ||
    typeof code !== 'string' ||
    typeof message !== 'string'
  ) {
    throw damaged(path, line, 'a field is missing');
  }
  return { sampleId, location, code, message };
}

function whole(text: string | undefined, path: string, line: number): number {
  const value = Number(text);
  if (text === undefined || text === '' || !Number.isSafeInteger(value) || value < 0) {
    throw damaged(path, line, `"${text ?? ''}" is not a whole number`);
  }
  return value;
}

function damaged(path: string, line: number, reason: string): Mx8Error {
  const message = `the index of a staged output is damaged: line ${line} of ${path}: ${reason}`;
  return new Mx8Error('output_write_failed', message, { path, line });
}
