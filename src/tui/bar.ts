/** How full something is, as a bar. */
import type { Span, Style } from './text.ts';
import { span } from './text.ts';

/** From here on a cap counts as nearly reached. */
const WARN_FRACTION = 0.8;
const BAD_FRACTION = 0.95;

/** Never full before it is all, nor empty once there is something. */
export function barCells(fraction: number, width: number): number {
  if (!(fraction > 0)) return 0;
  if (fraction >= 1) return width;
  return Math.min(width - 1, Math.max(1, Math.round(fraction * width)));
}

export function bar(fraction: number, width: number, style: Style): readonly Span[] {
  const cells = barCells(fraction, width);
  return [span('█'.repeat(cells), style), span('░'.repeat(width - cells), 'dim')];
}

/** A bar of use against a cap, coloured by how near the cap is. A cap of 0 was not said. */
export function capBar(used: number, cap: number, width: number): readonly Span[] {
  const fraction = cap > 0 ? used / cap : 0;
  return bar(fraction, width, capStyle(fraction));
}

function capStyle(fraction: number): Style {
  if (fraction >= BAD_FRACTION) return 'bad';
  return fraction >= WARN_FRACTION ? 'warn' : 'good';
}
