import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Context, type Span as ApiSpan, type SpanOptions, trace } from '@opentelemetry/api';

import { jobId, leaseId, nodeId } from '../core/base/units.ts';
import { LeaseSpans } from '../coordinator/lease-spans.ts';
import { otelTracer } from './tracing.ts';

interface Recorded {
  readonly name: string;
  readonly traceId: string;
  readonly attributes: SpanOptions['attributes'];
  readonly events: string[];
  isEnded: boolean;
  failure: string | null;
}

const recorded: Recorded[] = [];

/** As little of an SDK as there can be: it remembers. */
const provider = {
  getTracer: () => ({
    startSpan: (name: string, options: SpanOptions, context: Context): ApiSpan => {
      const parent = trace.getSpanContext(context);
      const traceId = parent?.traceId ?? 'f'.repeat(32);
      const one: Recorded = {
        name,
        traceId,
        attributes: options.attributes,
        events: [],
        isEnded: false,
        failure: null,
      };
      if (name !== 'mx8.probe') recorded.push(one);
      const span = {
        spanContext: () => ({ traceId, spanId: 'e'.repeat(16), traceFlags: 1 }),
        setAttributes: () => span,
        addEvent: (event: string) => {
          one.events.push(event);
          return span;
        },
        setStatus: (status: { message?: string }) => {
          one.failure = status.message ?? '';
          return span;
        },
        end: () => {
          one.isEnded = true;
        },
      };
      return span as unknown as ApiSpan;
    },
    startActiveSpan: () => {
      throw new Error('not used');
    },
  }),
};

after(() => trace.disable());

const LEASE = { jobId: jobId('j'), leaseId: leaseId({ epoch: 1, seq: 2, index: 0 }) };
const FACT = { ...LEASE, nodeId: nodeId('n'), start: 0, end: 10 };

test('without an SDK nothing is on and nothing is kept', () => {
  const tracer = otelTracer();
  assert.equal(tracer.isOn, false);
  new LeaseSpans(tracer).add([{ event: 'lease_granted', ...FACT }]);
  tracer.start('mx8.read', LEASE).end('no');
  assert.deepEqual(recorded, []);
});

test('spans of one lease share a trace, whichever process makes them, and other leases have others', () => {
  assert.ok(trace.setGlobalTracerProvider(provider));
  const [agent, worker] = [otelTracer(), otelTracer()];
  const spans = new LeaseSpans(otelTracer());
  spans.add([
    { event: 'node_registered', jobId: FACT.jobId, nodeId: FACT.nodeId, rank: 3 },
    { event: 'lease_granted', ...FACT },
  ]);
  worker.start('mx8.process', LEASE).end();
  agent.start('mx8.commit', LEASE, { 'mx8.rows': 4 }).end();
  worker.start('mx8.process', { ...LEASE, leaseId: '1.3.0' }).end('it broke');
  spans.add([
    { event: 'output_committed', ...FACT, from: 0, to: 10, rows: 4 },
    { event: 'lease_completed', ...FACT },
  ]);
  const [register, lease, process, commit, other] = recorded;
  assert.deepEqual(
    recorded.map(({ name }) => name),
    ['mx8.register', 'mx8.lease', 'mx8.process', 'mx8.commit', 'mx8.process'],
  );
  assert.equal(process?.traceId, lease?.traceId);
  assert.equal(commit?.traceId, lease?.traceId);
  assert.notEqual(other?.traceId, lease?.traceId);
  assert.notEqual(register?.traceId, lease?.traceId);
  assert.equal(commit?.attributes?.['mx8.lease_id'], '1.2.0');
  assert.deepEqual(
    [lease?.events, lease?.isEnded, lease?.failure],
    [['output_committed'], true, null],
  );
  assert.deepEqual([other?.isEnded, other?.failure], [true, 'it broke']);
});

test('a lease that expired, and one whose leader leaves, are ended too', () => {
  recorded.length = 0;
  const spans = new LeaseSpans(otelTracer());
  const next = { ...FACT, leaseId: leaseId({ epoch: 1, seq: 4, index: 0 }) };
  spans.add([
    { event: 'lease_granted', ...FACT },
    { event: 'lease_granted', ...next },
    { event: 'lease_expired', ...FACT, cursor: 0 },
  ]);
  assert.deepEqual(
    recorded.map(({ isEnded, failure }) => [isEnded, failure]),
    [
      [true, 'nobody renewed it in time'],
      [false, null],
    ],
  );
  spans.end();
  assert.ok(recorded.every(({ isEnded }) => isEnded));
});
