/** What an agent exposes at /metrics: what it holds, what it delivered, and where its time goes. */
import type { AgentFigures } from '../ports/agent-figures.ts';
import { wireName } from '../view/wire-name.ts';
import { labels, type MetricsText } from './metrics-text.ts';

export function writeAgentMetrics(text: MetricsText, figures: AgentFigures): void {
  const { stats, caps, meters, maxProcessRssBytes } = figures;
  const names = { job_id: figures.jobId, node_id: figures.nodeId };
  const own = labels(names);
  const gauge = (name: string, help: string, value: number): void =>
    text.add(`mx8_agent_${name}`, 'gauge', help, [[own, value]]);
  const counter = (name: string, help: string, value: number): void =>
    text.add(`mx8_agent_${name}_total`, 'counter', help, [[own, value]]);
  for (const [name, value] of Object.entries(stats) as [string, number | boolean][]) {
    const wire = wireName(name);
    text.add(
      `mx8_agent_${wire}`,
      wire.endsWith('_total') ? 'counter' : 'gauge',
      `${wire} as the coordinator is told.`,
      [[own, Number(value)]],
    );
  }
  for (const [name, value] of Object.entries(caps) as [string, number][]) {
    gauge(wireName(name), `${wireName(name)} of its caps.`, value);
  }
  gauge('workers', 'Worker processes.', figures.workers);
  if (maxProcessRssBytes !== null) {
    gauge('max_process_rss_bytes', 'Cap of each worker process.', maxProcessRssBytes);
  }
  counter('delivered_samples', 'Samples that workers are done with.', meters.deliveredSamples);
  counter('delivered_bytes', 'Bytes of those samples.', meters.deliveredBytes);
  counter('committed_pieces', 'Pieces of output that count.', meters.committedPieces);
  counter('output_rows', 'Rows of those pieces.', meters.outputRows);
  counter('output_bytes', 'Bytes of those pieces.', meters.outputBytes);
  counter('workers_started', 'Worker processes begun, restarts included.', meters.workersStarted);
  counter('disconnects', 'How often the way to the coordinator broke.', meters.disconnects);
  text.addHistograms(
    'mx8_agent_stage_seconds',
    'Time of a batch by stage: read (waited for), process, stage (output made durable).',
    Object.entries(meters.stageSeconds).map(([stage, histogram]) => ({
      labels: labels({ ...names, stage }),
      histogram,
    })),
  );
  text.addHistograms(
    'mx8_agent_call_seconds',
    'Time of calls at the coordinator.',
    [...meters.callSeconds].map(([call, histogram]) => ({
      labels: labels({ ...names, call }),
      histogram,
    })),
  );
}
