/**
 * What a benchmark answers: our figure, the limit that a bare loop reached in the same run on the same
 * machine, and the ratio. A bar is on the ratio where there is a limit, else on our figure.
 */
export interface BenchTarget {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface BenchRow {
  readonly name: string;
  readonly ours: number;
  /** What the machine can do at best, measured in the same run; null where there is no such loop. */
  readonly limit: number | null;
  readonly unit: string;
  /** ours / limit. */
  readonly ratio: number | null;
  /** null: shown, not judged. */
  readonly target: BenchTarget | null;
  readonly note: string;
}

/** What a person may choose. */
export interface BenchOptions {
  readonly objects?: number;
}

/** One file `bench/<name>.bench.ts` exports `benchmark`; `bench/main.ts` runs it in its own process. */
export interface Benchmark {
  readonly name: string;
  run(options: BenchOptions): Promise<readonly BenchRow[]>;
}

export function benchRow(row: Omit<BenchRow, 'ratio'>): BenchRow {
  return { ...row, ratio: row.limit === null ? null : row.ours / row.limit };
}

/** True when the row has no target or meets it. */
export function isMet(row: BenchRow): boolean {
  const figure = row.ratio ?? row.ours;
  const { atLeast, atMost } = row.target ?? {};
  return (atLeast === undefined || figure >= atLeast) && (atMost === undefined || figure <= atMost);
}

export function benchTable(rows: readonly BenchRow[]): string {
  const head = ['benchmark', 'ours', 'limit', 'unit', 'ratio', 'target', '', 'note'];
  const lines = rows.map((row) => [
    row.name,
    figureText(row.ours),
    row.limit === null ? '–' : figureText(row.limit),
    row.unit,
    row.ratio === null ? '–' : row.ratio.toFixed(2),
    targetText(row),
    row.target === null ? '' : isMet(row) ? 'met' : 'MISSED',
    row.note,
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)),
  );
  const format = (line: readonly string[]): string =>
    line
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 1 || column === 2 || column === 4
          ? cell.padStart(width)
          : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [format(head), format(widths.map((width) => '─'.repeat(width))), ...lines.map(format)]
    .map((line) => `${line}\n`)
    .join('');
}

function targetText(row: BenchRow): string {
  if (row.target === null) return '';
  const of = row.ratio === null ? row.unit : 'of limit';
  const { atLeast, atMost } = row.target;
  const bars: string[] = [];
  if (atLeast !== undefined) bars.push(`≥ ${figureText(atLeast)} ${of}`);
  if (atMost !== undefined) bars.push(`≤ ${figureText(atMost)} ${of}`);
  return bars.join(', ');
}

function figureText(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
