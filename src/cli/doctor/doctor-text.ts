/** Findings as text for a person, and as one object for a program. Pure. */
import { type Finding, type FindingStatus, SECTIONS, worstOf } from '../../view/diagnosis.ts';

const MARKS: Readonly<Record<FindingStatus, string>> = {
  ok: 'ok',
  notice: 'NOTICE',
  problem: 'PROBLEM',
  unknown: 'UNKNOWN',
};

export interface Examined {
  /** `machine`, `coordinators`, `job NAME`. */
  readonly of: string;
  readonly findings: readonly Finding[];
}

export function doctorText(examined: readonly Examined[]): string {
  const lines: string[] = [];
  for (const { of, findings } of examined) {
    lines.push(of);
    for (const finding of findings) lines.push(...findingLines(finding));
    lines.push('');
  }
  const all = examined.flatMap(({ findings }) => findings);
  const counts = (['problem', 'unknown', 'notice', 'ok'] as const)
    .map((status) => [all.filter((one) => one.status === status).length, status] as const)
    .filter(([count]) => count > 0)
    .map(([count, status]) => `${count} ${status}`);
  lines.push(`${counts.join(', ')}${worstOf(all) === 'ok' ? ': nothing to do' : ''}`);
  return lines.map((line) => `${line}\n`).join('');
}

function findingLines({ check, section, status, found, run, expect }: Finding): readonly string[] {
  const head = `  ${MARKS[status].padEnd(8)} ${check}: ${found}`;
  if (status === 'ok') return [head];
  return [
    head,
    `           runbook: ${SECTIONS[section]}`,
    ...run.map(
      (command, index) => `           ${index === 0 ? 'run:    ' : '        '} ${command}`,
    ),
    ...(expect === '' ? [] : [`           expect:  ${expect}`]),
  ];
}

export function doctorJson(examined: readonly Examined[]): string {
  const findings = examined.flatMap(({ of, findings: some }) =>
    some.map((finding) => ({ of, ...finding, section: SECTIONS[finding.section] })),
  );
  const status = worstOf(examined.flatMap((one) => one.findings));
  return `${JSON.stringify({ event: 'doctor', status, findings })}\n`;
}
