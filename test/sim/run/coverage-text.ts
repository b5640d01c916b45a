/** The table of faults by phases, and which of its cells a long run must not leave empty. */
import { type Coverage, FAULTS, type FaultName, type Phase, PHASES } from '../world/coverage.ts';

/** Seeds from which on an empty cell is a hole in the simulator, and not chance. */
export const COVERED_SEEDS = 5000;

/**
 * What cannot meet. A disk of one machine fails at a write, so only in the middle of one. The other way
 * round a write that failed ends the process: there is no answer under way. A death is told to who leads.
 */
const NEVER: ReadonlySet<string> = new Set<`${FaultName}/${Phase}`>([
  'store write failed/outcome unknown',
  'store write failed/before claim',
  'death of a node told/before claim',
  'death of a node told/claim to replay',
]);

export function coverageText(coverage: Coverage): string {
  const short = PHASES.map((phase) => phase.slice(0, 10).padStart(11)).join('');
  const rows = FAULTS.map((fault, row) => {
    const cells = PHASES.map((_, column) =>
      String(coverage.struck[row * PHASES.length + column] ?? 0).padStart(11),
    ).join('');
    return `${fault.padEnd(34)}${String(coverage.total[row] ?? 0).padStart(8)}${cells}`;
  });
  return [`${'fault'.padEnd(34)}${'all'.padStart(8)}${short}`, ...rows].join('\n');
}

export function holesOf(coverage: Coverage): readonly string[] {
  return FAULTS.flatMap((fault, row) =>
    PHASES.filter((phase, column) => {
      const count = coverage.struck[row * PHASES.length + column] ?? 0;
      return count === 0 && !NEVER.has(`${fault}/${phase}`);
    }).map((phase) => `"${fault}" never struck in phase "${phase}"`),
  );
}
