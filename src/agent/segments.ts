/** How one order is read: in whole batches, except where samples are tried one at a time. */
import type { WorkOrder } from '../core/node/crew-protocol.ts';

export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly batchSize: number;
  /** Each batch is staged before the next is begun. */
  readonly stageEach: boolean;
}

export function segmentsOf(order: WorkOrder, batchSize: number): readonly Segment[] {
  const { start, end, singly } = order;
  if (singly === null) return [{ start, end, batchSize, stageEach: false }];
  const from = Math.min(end, Math.max(start, singly.start));
  const to = Math.max(from, Math.min(end, singly.end));
  const segments = [
    { start, end: from, batchSize, stageEach: true },
    { start: from, end: to, batchSize: 1, stageEach: true },
    { start: to, end, batchSize, stageEach: false },
  ];
  return segments.filter((segment) => segment.start < segment.end);
}
