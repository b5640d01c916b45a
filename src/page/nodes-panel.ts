/** The table of nodes; rows stay the same elements while their node is there. */
import type { JobModel, NodeModel } from '../web/page-model.ts';
import { bytesText, countText, durationText, rateText } from '../view/format.ts';
import { byId, h, setClass, setText } from './elements.ts';

const COLUMNS = [
  'node',
  'rank',
  'heard',
  'rate',
  'leases',
  'in flight',
  'memory',
  'queues',
] as const;
const [INFLIGHT_AT, MEMORY_AT] = [COLUMNS.indexOf('in flight'), COLUMNS.indexOf('memory')];
const HINTS: Readonly<Record<string, string>> = {
  heard: 'How long ago the coordinator last heard from it',
  rate: 'Samples a second, over some seconds',
  'in flight': 'Bytes of samples held, of the cap',
  memory: 'Highest resident memory, of the cap',
  queues: 'Fetch, decode and pack queue',
};

interface Row {
  readonly element: HTMLElement;
  readonly cells: readonly HTMLElement[];
}

const rows = new Map<string, Row>();

export function drawNodes(job: JobModel, isStandby: boolean): void {
  const { nodes, registeredNodes, worldSize, staleNodes } = job;
  const stale = staleNodes === 0 ? '' : ` · ${countText(staleNodes)} stale`;
  setText(byId('nodes-now'), `${countText(registeredNodes)} of ${countText(worldSize)}${stale}`);
  const place = byId('nodes');
  if (nodes.length === 0) {
    rows.clear();
    const text = isStandby ? 'Only a leader knows how they are.' : 'No node is registered.';
    place.replaceChildren(h('p', { class: 'dim' }, text));
    return;
  }
  const body = place.querySelector('tbody') ?? newTable(place);
  const wanted = new Set(nodes.map((node) => node.nodeId));
  for (const [nodeId, { element }] of rows) {
    if (wanted.has(nodeId)) continue;
    element.remove();
    rows.delete(nodeId);
  }
  for (const [index, node] of nodes.entries()) {
    const row = rows.get(node.nodeId) ?? newRow(node.nodeId);
    if (body.children[index] !== row.element) {
      body.insertBefore(row.element, body.children[index] ?? null);
    }
    updateRow(row, node);
  }
  const more = registeredNodes - nodes.length;
  const caption = place.querySelector('caption');
  if (caption !== null)
    setText(caption, more <= 0 ? '' : `and ${countText(more)} more that are well`);
}

function newTable(place: HTMLElement): HTMLElement {
  rows.clear();
  const head = h(
    'tr',
    {},
    ...COLUMNS.map((name) => h('th', { scope: 'col', title: HINTS[name] }, name)),
  );
  const body = h('tbody');
  place.replaceChildren(h('table', {}, h('caption'), h('thead', {}, head), body));
  return body;
}

function newRow(nodeId: string): Row {
  const cells = COLUMNS.map((name, index) =>
    index === 0 ? h('th', { scope: 'row' }) : h('td', { 'data-name': name }),
  );
  for (const index of [INFLIGHT_AT, MEMORY_AT])
    cells[index]?.append(h('span'), h('meter', { min: 0, max: 1 }));
  const row = { element: h('tr', {}, ...cells), cells };
  rows.set(nodeId, row);
  return row;
}

function updateRow({ element, cells }: Row, node: NodeModel): void {
  setClass(element, node.isStale ? 'bad' : node.stalledCount > 0 ? 'warn' : '');
  const mark = node.isStale ? '■ ' : node.stalledCount > 0 ? '▲ ' : '';
  const stalled = node.stalledCount === 0 ? '' : ` (${countText(node.stalledCount)} stalled)`;
  const texts: readonly (string | null)[] = [
    `${mark}${node.nodeId}${node.isDraining ? ' · draining' : ''}`,
    countText(node.rank),
    node.isStale
      ? `stale: ${durationText(node.heartbeatAgeMs)} ago`
      : `${durationText(node.heartbeatAgeMs)} ago`,
    node.samplesPerSecond === null ? '–' : rateText(node.samplesPerSecond),
    `${countText(node.leaseCount)}${stalled}`,
    null,
    null,
    node.queues.join(' / '),
  ];
  for (const [index, text] of texts.entries()) {
    const cell = cells[index];
    if (cell !== undefined && text !== null) setText(cell, text);
  }
  updateGauge(cells[INFLIGHT_AT], 'in flight', node.inflightBytes, node.maxInflightBytes);
  updateGauge(cells[MEMORY_AT], 'memory', node.ramHighWaterBytes, node.maxRamBytes);
}

/** Above nine tenths of a cap it is marked. */
const NEAR_CAP = 0.9;

function updateGauge(cell: HTMLElement | undefined, what: string, used: number, cap: number): void {
  const text = cell?.querySelector('span');
  const meter = cell?.querySelector('meter');
  if (text === null || text === undefined || meter === null || meter === undefined) return;
  const part = cap === 0 ? 0 : used / cap;
  setText(text, cap === 0 ? bytesText(used) : `${bytesText(used)} of ${bytesText(cap)}`);
  setClass(meter, part >= NEAR_CAP ? 'near' : '');
  meter.value = Math.min(1, part);
  meter.hidden = cap === 0;
  meter.setAttribute('aria-label', `${what} of the cap`);
}
