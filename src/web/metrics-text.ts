/**
 * Metrics in the text format of Prometheus (version 0.0.4). Written by hand instead of through a
 * registry because nearly everything here is read from a snapshot at the moment of the scrape: see
 * docs/decisions. `promtool check metrics` reads what this writes in a test.
 */
import type { Histogram } from '../core/base/histogram.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Labels as they stand in a line, `{a="b"}`; '' for none. Made once where many lines share them. */
export type LabelText = string;
export type Sample = readonly [labels: LabelText, value: number];

export function labels(of: Readonly<Record<string, string | number>>): LabelText {
  const parts = Object.entries(of).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

export class MetricsText {
  readonly #lines: string[] = [];

  /** A family without samples is left out. */
  add(
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    samples: readonly Sample[] | number,
  ): void {
    const all: readonly Sample[] = typeof samples === 'number' ? [['', samples]] : samples;
    if (all.length === 0) return;
    this.#head(name, type, help);
    for (const [labelText, value] of all) this.#lines.push(`${name}${labelText} ${value}`);
  }

  addHistograms(
    name: string,
    help: string,
    series: Iterable<{ readonly labels: LabelText; readonly histogram: Histogram }>,
  ): void {
    let isFirst = true;
    for (const { labels: of, histogram } of series) {
      if (isFirst) this.#head(name, 'histogram', help);
      isFirst = false;
      const counts = histogram.cumulative();
      for (const [index, bound] of histogram.bounds.entries()) {
        this.#lines.push(`${name}_bucket${withLe(of, String(bound))} ${counts[index] ?? 0}`);
      }
      this.#lines.push(`${name}_bucket${withLe(of, '+Inf')} ${histogram.count}`);
      this.#lines.push(`${name}_sum${of} ${histogram.sum}`);
      this.#lines.push(`${name}_count${of} ${histogram.count}`);
    }
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  #head(name: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`);
    this.#lines.push(`# TYPE ${name} ${type}`);
  }
}

function withLe(of: LabelText, bound: string): LabelText {
  return of === '' ? `{le="${bound}"}` : `${of.slice(0, -1)},le="${bound}"}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
