/** A fact as one line for a person: the event's name, then what it is about. Pure. */
import type { Fact } from '../../core/job/protocol.ts';

export function factLine(fact: Fact): string {
  const { event, jobId: _, ...rest } = fact;
  const { start, end, ...others } = rest as Record<string, unknown>;
  const parts = Object.entries(others).map(
    ([name, value]) => `${snakeCase(name)}=${String(value)}`,
  );
  if (start !== undefined) parts.push(`[${String(start)}, ${String(end)})`);
  return `${event.padEnd(18)} ${parts.join(' ')}`.trimEnd();
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
