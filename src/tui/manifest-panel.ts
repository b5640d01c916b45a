/** The rows of the manifest: where each sample is, and which node has it now. */
import type { SampleRecord } from '../core/manifest/record.ts';
import { bytesText, countText } from '../view/format.ts';
import type { JobLook } from './job-look.ts';
import type { Layout } from './layout.ts';
import { holderOf } from './lease-part.ts';
import { filled, listLines } from './table.ts';
import type { Line } from './text.ts';
import { chopped, clean, clipStart, fit, line, padEnd, padStart, span, wrapped } from './text.ts';
import type { ManifestModel, TuiModel } from './tui-model.ts';

const NODE_WIDTH = 12;
const EXTENT_WIDTH = 22;
/** A narrower terminal shows ids and locations only. */
const WIDE_COLUMNS = 70;

export function manifestPanel(model: TuiModel, layout: Layout, width: number): readonly Line[] {
  const { manifest, ui } = model;
  const { bodyRows, listRows, detailRows } = layout;
  if (manifest.state !== 'ready') return filled(absentLines(manifest, width), bodyRows, width);
  const { look } = model.watched;
  const idWidth = Math.max(9, countText(manifest.sampleCount).length + 1);
  const rows = manifest.rows.map((row, index) => ({ row, id: manifest.top + index }));
  // The rows are only those in sight, so the selected one is counted from the first of them.
  const place = { selected: ui.places.manifest.selected - manifest.top, top: 0 };
  const list = listLines(rows, place, { rows: listRows, width }, ({ row, id }, w) =>
    recordLine(row, id, { look, idWidth, width: w }),
  );
  const headRows = bodyRows - listRows - detailRows;
  const head = headLines(model, idWidth, width).slice(-headRows);
  const chosen = manifest.rows[place.selected] ?? null;
  const detail = detailRows === 0 ? [] : detailLines(chosen, look, width);
  return filled([...head, ...list, ...filled(detail, detailRows, width)], bodyRows, width);
}

function absentLines({ state, failure, activity }: ManifestModel, width: number): readonly Line[] {
  if (state === 'failed') {
    return [
      fit([span(' The manifest cannot be shown.', 'bad')], width),
      ...wrapped(clean(failure), width - 2).map((text) => fit([span(` ${text}`)], width)),
    ];
  }
  const text = activity === '' ? 'waiting for the job to say which manifest it reads' : activity;
  return [fit([span(` ${text}`, 'dim')], width)];
}

/** The last lines are the ones that a low terminal shows. */
function headLines({ manifest, ui }: TuiModel, idWidth: number, width: number): readonly Line[] {
  const { hash, sampleCount, origin, failure, warning, activity } = manifest;
  const note =
    failure !== ''
      ? span(` ${clean(failure)}`, 'bad')
      : warning !== ''
        ? span(` ${clean(warning)}`, 'warn')
        : span(` ${activity}`, 'accent');
  const place = ` row ${countText(ui.places.manifest.selected)} of ${countText(sampleCount)}`;
  const what = line(
    span(place, 'bold'),
    span('  manifest ', 'dim'),
    `${hash.slice(0, 16)}…  from ${clean(origin)}`,
  );
  return [fit(what, width), fit([note], width), fit([span(titles(idWidth, width), 'dim')], width)];
}

function titles(idWidth: number, width: number): string {
  const id = padStart('sample_id', idWidth);
  if (width < WIDE_COLUMNS) return `${id}  location`;
  const where = padEnd('location', locationWidth(idWidth, width));
  return `${id}  ${where}  ${padEnd('bytes', EXTENT_WIDTH)}  leased by`;
}

function locationWidth(idWidth: number, width: number): number {
  if (width < WIDE_COLUMNS) return width - idWidth - 2;
  return width - idWidth - EXTENT_WIDTH - NODE_WIDTH - 6;
}

interface RowLook {
  readonly look: JobLook | null;
  readonly idWidth: number;
  readonly width: number;
}

function recordLine(row: SampleRecord | null, id: number, place: RowLook): Line {
  const { look, idWidth, width } = place;
  const number = span(padStart(countText(id), idWidth), 'bold');
  if (row === null) return fit([number, span('  …', 'dim')], width);
  const room = locationWidth(idWidth, width);
  const location = padEnd(clipStart(clean(row.location), room), room);
  if (width < WIDE_COLUMNS) return fit([number, span(`  ${location}`)], width);
  return fit(
    [
      number,
      span(`  ${location}  `),
      span(padEnd(extentText(row), EXTENT_WIDTH), 'dim'),
      span(`  ${clean(holderOf(look, id) ?? '…')}`, 'accent'),
    ],
    width,
  );
}

function extentText({ byteOffset, byteLength }: SampleRecord): string {
  if (byteOffset === null || byteLength === null) return 'whole file';
  return `${bytesText(byteLength)} @ ${countText(byteOffset)}`;
}

function detailLines(
  row: SampleRecord | null,
  look: JobLook | null,
  width: number,
): readonly Line[] {
  const rule = fit([span('─'.repeat(width), 'dim')], width);
  if (row === null) return [rule];
  const holder = holderOf(look, row.sampleId) ?? '…';
  const lease = holder === '' ? 'not leased now' : `leased by ${clean(holder)}`;
  const hint = row.decodeHint === '' ? 'no decode_hint' : `decode_hint ${clean(row.decodeHint)}`;
  return [
    rule,
    fit([span(` sample ${row.sampleId}  ${extentText(row)}  ${lease}  ${hint}`)], width),
    ...chopped(clean(row.location), width - 2).map((text) =>
      fit([span(` ${text}`, 'bold')], width),
    ),
  ];
}
