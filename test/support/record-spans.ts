/** As little of an SDK of OpenTelemetry as there can be: each span that ends is a line of `TEST_SPANS`. */
import { appendFileSync } from 'node:fs';
import { type Context, type Span, type SpanOptions, trace } from '@opentelemetry/api';

export interface RecordedSpan {
  readonly pid: number;
  readonly name: string;
  readonly traceId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const file = process.env['TEST_SPANS'] ?? '';

function startSpan(name: string, options: SpanOptions, context: Context): Span {
  const traceId = trace.getSpanContext(context)?.traceId ?? 'f'.repeat(32);
  const attributes = { ...options.attributes };
  const span = {
    spanContext: () => ({ traceId, spanId: 'e'.repeat(16), traceFlags: 1 }),
    setAttributes: (more: object) => {
      Object.assign(attributes, more);
      return span;
    },
    addEvent: () => span,
    setStatus: () => span,
    end: () => {
      const one: RecordedSpan = { pid: process.pid, name, traceId, attributes };
      appendFileSync(file, `${JSON.stringify(one)}\n`);
    },
  };
  return span as unknown as Span;
}

trace.setGlobalTracerProvider({
  getTracer: () => ({
    startSpan: (name, options = {}, context) => startSpan(name, options, context as Context),
    startActiveSpan: () => {
      throw new Error('not used');
    },
  }),
});
