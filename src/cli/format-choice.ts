/** From the flags on formats to what resolving takes, and what people are told of it. */
import { countedText } from '../view/format.ts';
import { SAMPLE_OF } from '../core/format/format-name.ts';
import type { FormatChoice } from '../core/format/format-name.ts';
import type { ResolvedLink, ResolveOptions } from '../snapshots/index.ts';
import type { OptionsOf } from './flag.ts';
import type { FORMAT_FLAGS, ROW_FORMAT_FLAGS } from './flags/format.ts';

/** What a job module says. */
interface Named {
  readonly format: FormatChoice | null;
  readonly columns: readonly string[] | null;
  readonly rowsPerSample: number | null;
}

type FormatOptions = OptionsOf<typeof ROW_FORMAT_FLAGS> & Partial<OptionsOf<typeof FORMAT_FLAGS>>;

/** `named` is what the job module says; the flag wins. */
export function formatChoice(
  { format, columns, rowsPerSample = null, unpackRatioMax, unpackBytesMax }: FormatOptions,
  named: Named = { format: null, columns: null, rowsPerSample: null },
): Required<Pick<ResolveOptions, 'format' | 'columns' | 'rowsPerSample' | 'unpack'>> {
  const unpack = { ratioMax: unpackRatioMax, bytesMax: unpackBytesMax };
  return {
    format: format ?? named.format,
    columns: columns ?? named.columns,
    rowsPerSample: rowsPerSample ?? named.rowsPerSample,
    unpack,
  };
}

/**
 * What a sample is, and why; null where every file is one and nothing speaks for anything else.
 * `rowsPerSample` as it was resolved with.
 */
export function formatText(
  { format, formatReason }: Pick<ResolvedLink, 'format' | 'formatReason'>,
  rowsPerSample: number | null,
): string | null {
  if (format === 'files' && formatReason === null) return null;
  const reason = formatReason === null ? '' : ` (${formatReason})`;
  const sample =
    rowsPerSample === null
      ? SAMPLE_OF[format]
      : `every ${countedText(rowsPerSample, 'row')} of a row group are one sample, as columns`;
  return `${format}: ${sample}${reason}`;
}
