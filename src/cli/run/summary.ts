/** What is said when a run is complete. Pure. */
import { isUrl } from '../../core/manifest/location.ts';
import type { JobSnapshot } from '../../core/job/protocol.ts';
import { bytesText, countedText, countText, durationText, rateText } from '../../view/format.ts';

export interface RunSummary {
  readonly name: string;
  readonly snapshot: JobSnapshot;
  /** Of this run; a resumed one did only part of the job. */
  readonly elapsedMs: number;
  readonly samplesThisRun: number;
  readonly peakRssBytes: number | null;
  readonly rssCapBytes: number;
  readonly nodes: number;
  readonly out: string;
  readonly inputHash: string;
  /** What the input is where a plain link found an older snapshot; else null. */
  readonly snapshotAge: string | null;
}

export function summaryText(summary: RunSummary): string {
  const { snapshot, elapsedMs, samplesThisRun } = summary;
  const perSecond = elapsedMs > 0 ? (samplesThisRun * 1000) / elapsedMs : 0;
  const { committed, quarantined } = snapshot.samples;
  const rows: (readonly [string, string])[] = [
    [
      'samples',
      `${countText(committed)} committed${quarantined > 0 ? `, ${countText(quarantined)} quarantined` : ''}`,
    ],
    ['read', bytesText(snapshot.inputBytes)],
    ['output', `${countedText(snapshot.output.rows, 'row')}, ${bytesText(snapshot.output.bytes)}`],
    ['rate', `${rateText(perSecond)} over ${durationText(elapsedMs)}`],
    ['memory', memoryText(summary)],
    [
      'work',
      `${countedText(summary.nodes, 'node')}, ${countedText(snapshot.output.pieces, 'piece')} committed, ${countText(snapshot.counters.rangesRequeuedTotal)} requeued`,
    ],
    ['input', `sha256:${summary.inputHash}`],
  ];
  if (summary.snapshotAge !== null) rows.push(['', summary.snapshotAge]);
  if (snapshot.outputManifestHash !== null)
    rows.push(['result', `sha256:${snapshot.outputManifestHash}`]);
  rows.push(['where', summary.out]);
  const lines = rows.map(([name, text]) => `  ${name.padEnd(8)} ${text}`);
  return [`${summary.name}: complete`, ...lines, '', ...nextSteps(summary), ''].join('\n');
}

function memoryText(summary: RunSummary): string {
  if (summary.peakRssBytes === null) return `cap ${bytesText(summary.rssCapBytes)}`;
  return `peak ${bytesText(summary.peakRssBytes)} of ${bytesText(summary.rssCapBytes)}, all processes together`;
}

/** What one would type next: of what is there now, whatever was pinned of an earlier output of this name. */
function nextSteps(summary: RunSummary): string[] {
  const next = [
    `  next: npx mx8 verify ${summary.out}@refresh        re-reads the output against its manifest`,
  ];
  if (summary.snapshot.samples.quarantined > 0) {
    const path = `${summary.out}/_mx8/quarantine.jsonl`;
    const show = isUrl(path) ? `aws s3 cp ${path} -` : `cat ${path}`;
    next.push(`        ${show}   what failed, and why`);
  }
  next.push(
    `        npx mx8 run NEXT.job.ts --data ${summary.out}@refresh   the output is the next job's input`,
  );
  return next;
}

/** The same as fields of the event `run_completed`. */
export function summaryFields(summary: RunSummary): Record<string, string | number | null> {
  const { snapshot } = summary;
  return {
    job_id: snapshot.spec.jobId,
    committed_samples: snapshot.samples.committed,
    quarantined_samples: snapshot.samples.quarantined,
    output_rows: snapshot.output.rows,
    output_bytes: snapshot.output.bytes,
    input_bytes: snapshot.inputBytes,
    elapsed_ms: Math.round(summary.elapsedMs),
    peak_rss_bytes: summary.peakRssBytes,
    ram_bytes: summary.rssCapBytes,
    nodes: summary.nodes,
    pieces: snapshot.output.pieces,
    ranges_requeued_total: snapshot.counters.rangesRequeuedTotal,
    manifest_hash: summary.inputHash,
    output_manifest_hash: snapshot.outputManifestHash,
    out: summary.out,
  };
}
