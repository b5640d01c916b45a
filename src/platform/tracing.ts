/**
 * Traces through the API of OpenTelemetry: without an SDK in the process (for instance one that
 * `NODE_OPTIONS=--import` loaded) every call is a no-op. See docs/decisions.
 */
import { createHash } from 'node:crypto';
import {
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span as ApiSpan,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';

import type { LeaseName, Span, SpanAttributes, Tracer } from '../ports/tracer.ts';

const SILENT: Span = { set: () => undefined, event: () => undefined, end: () => undefined };

export function otelTracer(): Tracer {
  return new OtelTracer();
}

class OtelTracer implements Tracer {
  readonly #tracer = trace.getTracer('mx8');
  #isOn = false;

  get isOn(): boolean {
    if (this.#isOn) return true;
    // A tracer of nobody gives spans that are named by nothing.
    const probe = this.#tracer.startSpan('mx8.probe', {}, ROOT_CONTEXT);
    this.#isOn = isSpanContextValid(probe.spanContext());
    return this.#isOn;
  }

  start(name: string, lease: LeaseName | null, attributes: SpanAttributes = {}): Span {
    if (!this.isOn) return SILENT;
    const named =
      lease === null
        ? attributes
        : { 'mx8.job_id': lease.jobId, 'mx8.lease_id': lease.leaseId, ...attributes };
    const parent = lease === null ? ROOT_CONTEXT : leaseContext(lease);
    return new OtelSpan(this.#tracer.startSpan(name, { attributes: named }, parent));
  }
}

class OtelSpan implements Span {
  readonly #span: ApiSpan;

  constructor(span: ApiSpan) {
    this.#span = span;
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  event(name: string, attributes: SpanAttributes): void {
    this.#span.addEvent(name, attributes);
  }

  end(failure?: string): void {
    if (failure !== undefined) {
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    }
    this.#span.end();
  }
}

/** The parent that every process works out for itself: the same trace for the same lease. */
function leaseContext({ jobId, leaseId }: LeaseName): Context {
  const digest = createHash('sha256').update(`${jobId}\n${leaseId}`).digest('hex');
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: digest.slice(0, 32),
    spanId: digest.slice(32, 48),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}
