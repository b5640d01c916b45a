/** A fact as one line for a person: the event's name, then what it is about. Pure. */
import type { Fact } from '../../core/job/protocol.ts';

export function factLine(fact: Fact): string {
  const { event, jobId: _, ...rest } = fact;
  const parts = Object.entries(rest).map(([name, value]) => `${snakeCase(name)}=${value}`);
  return `${event.padEnd(18)} ${parts.join(' ')}`.trimEnd();
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
