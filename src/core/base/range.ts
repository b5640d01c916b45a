/** A half-open range of sample ids, `start <= id < end`. */
export interface SampleRange {
  readonly start: number;
  readonly end: number;
}

export function rangeLength(range: SampleRange): number {
  return range.end - range.start;
}

export function rangeText(range: SampleRange): string {
  return `[${range.start}, ${range.end})`;
}
