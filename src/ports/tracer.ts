/**
 * Spans of a lease's life for whoever collects traces. All spans of one lease are in one trace, in
 * whichever process they are made: the trace is named by job and lease, and nothing travels for it.
 */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface LeaseName {
  readonly jobId: string;
  readonly leaseId: string;
}

export interface Span {
  set(attributes: SpanAttributes): void;
  event(name: string, attributes: SpanAttributes): void;
  /** With a message: it failed. Safe to call twice. */
  end(failure?: string): void;
}

export interface Tracer {
  /** False as long as nobody collects: then spans cost nothing and need not be kept. */
  readonly isOn: boolean;
  start(name: string, lease: LeaseName | null, attributes?: SpanAttributes): Span;
}
