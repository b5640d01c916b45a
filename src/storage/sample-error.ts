/** What a person is told about a sample that could not be read. */
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { ErrorCode } from '../core/base/errors.ts';
import { codedPartOf } from '../core/format/coded-part.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { ReadFailure } from './read-job.ts';

export function sampleError(
  record: SampleRecord,
  failure: ReadFailure,
  maxInflightBytes: number,
): Mx8Error {
  const { reason, errno, foundBytes } = failure;
  const place = placeOf(record);
  const say = (code: ErrorCode, sentence: string): Mx8Error =>
    new Mx8Error(code, sentence, { ...detailsOf(record), ...(errno === '' ? {} : { errno }) });
  switch (reason) {
    case 'short':
      return say(
        'sample_changed',
        `${place} has only ${foundBytes} of the ${String(record.byteLength)} bytes that the manifest pinned: the file has shrunk. Restore it, or resolve the link again with @refresh.`,
      );
    case 'resized':
      return new Mx8Error(
        'sample_changed',
        `${place} has ${foundBytes} bytes, but had ${String(record.pinnedBytes)} when it was pinned: the file has ${foundBytes < (record.pinnedBytes ?? 0) ? 'shrunk' : 'grown'}. Restore it, or resolve the link again with @refresh.`,
        {
          ...detailsOf(record),
          expected_bytes: record.pinnedBytes ?? -1,
          found_bytes: foundBytes,
        },
      );
    case 'empty':
      return say('file_empty', `${place} is an empty file, and a sample has at least one byte.`);
    case 'too_large':
      return new Mx8Error(
        'sample_too_large',
        `${place} has ${foundBytes} bytes, more than max_inflight_bytes ${maxInflightBytes} allows in all. Raise max_inflight_bytes above the size of the sample.`,
        { ...detailsOf(record), sample_bytes: foundBytes, max_inflight_bytes: maxInflightBytes },
      );
    case 'not_a_file':
      return say(
        'sample_unreadable',
        `${place} is not a regular file (a folder, a pipe or a device), so it has no bytes to read.`,
      );
    case 'not_local':
      return say(
        'scheme_unsupported',
        `${place} is not an absolute path, and only local files can be read here.`,
      );
    case 'format':
      return say(failure.code ?? 'sample_corrupt', `${place}: ${failure.note ?? reason}.`);
    case 'io':
      return ioError(record, failure, say);
    case 'place':
      return placeError(record, must(failure.error, 'the place has said why'));
    default:
      return reason satisfies never;
  }
}

/** What is said of an object, said of the sample in it. */
const CODES_OF_SAMPLES: Partial<Record<ErrorCode, ErrorCode>> = {
  object_missing: 'sample_missing',
  object_changed: 'sample_changed',
};

function placeError(record: SampleRecord, error: Mx8Error): Mx8Error {
  return new Mx8Error(
    CODES_OF_SAMPLES[error.code] ?? error.code,
    `${placeOf(record)} cannot be read: ${error.message}`,
    { ...error.details, ...detailsOf(record) },
    error,
  );
}

function ioError(
  record: SampleRecord,
  { errno, syscall }: ReadFailure,
  say: (code: ErrorCode, sentence: string) => Mx8Error,
): Mx8Error {
  const place = placeOf(record);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return say(
      'sample_missing',
      `${place} is no longer there (${errno}). Restore the file, or resolve the link again with @refresh.`,
    );
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return say(
      'sample_unreadable',
      `${place} may not be read by this user (${errno}). Check the permissions of the file and of the folders above it.`,
    );
  }
  return say(
    'sample_unreadable',
    `${place} could not be read: ${syscall} failed with ${errno}. Check the disk that holds it.`,
  );
}

function placeOf(record: SampleRecord): string {
  const coded = codedPartOf(record.decodeHint);
  const at =
    coded !== null
      ? ` at decompressed byte ${coded.start}`
      : record.byteOffset === null
        ? ''
        : ` at byte ${record.byteOffset}`;
  return `Sample ${record.sampleId} in ${record.location}${at}`;
}

function detailsOf(record: SampleRecord): Record<string, string | number> {
  return {
    sample_id: record.sampleId,
    location: record.location,
    ...(record.byteOffset === null ? {} : { byte_offset: record.byteOffset }),
  };
}
