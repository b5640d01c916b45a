/**
 * A client of mx8.v0 as another implementation would be: it knows the schema and a list of addresses. It
 * leases, reports progress in small steps, and goes to the next address when it is not answered.
 */
import type { ServiceError } from '@grpc/grpc-js';
import { RawClient } from '../../src/testing/raw-client.ts';
import type { WireMessage } from '../../src/wire/schema.ts';
import type { ClientSettings } from './client-settings.ts';
import { type Answered, CallRecorder } from './recorder.ts';

/** Past it a call counts as not answered. */
const CALL_MS_MAX = 3000;
const RETRY_MS = 100;
const UNAVAILABLE = 14;
const STEPS = 3;

interface HeldLease {
  readonly leaseId: string;
  readonly start: number;
  readonly end: number;
}

class CallTimedOut extends Error {}

export class V0Client {
  readonly #settings: ClientSettings;
  readonly #jobId: string;
  readonly #nodeId: string;
  readonly #recorder: CallRecorder;
  readonly #clients: readonly RawClient[];
  readonly #pauseMs: () => number;
  #at = 0;

  constructor(settings: ClientSettings, nodeId: string, pauseMs: () => number) {
    this.#settings = settings;
    this.#jobId = settings.jobs[0] ?? '';
    this.#nodeId = nodeId;
    this.#pauseMs = pauseMs;
    this.#recorder = new CallRecorder(nodeId);
    this.#clients = settings.addresses.map((one) => new RawClient(one, 'mx8.v0.Coordinator'));
  }

  /** Works until the job is drained. */
  async work(): Promise<void> {
    await this.#register();
    for (;;) {
      const asked = { jobId: this.#jobId, nodeId: this.#nodeId, want: 2 };
      const { value, code } = await this.#call('RequestLease', asked, (answer) => ({
        leases: leasesOf(answer),
      }));
      if (value === null) {
        if (code === 'node_not_registered') await this.#register();
        continue;
      }
      const leases = leasesOf(value);
      if (leases.length === 0 && value['jobDrained'] === true) break;
      await Promise.all(leases.map((lease) => this.#deliver(lease)));
      if (leases.length === 0) await pause(Math.max(20, Number(value['waitMs'] ?? 0)));
    }
    for (const client of this.#clients) client.close();
  }

  async #register(): Promise<void> {
    const caps = {
      maxFetchConcurrency: 1,
      maxDecodeConcurrency: 1,
      maxInflightBytes: 1000,
      maxRamBytes: 1000,
    };
    for (;;) {
      const asked = { jobId: this.#jobId, nodeId: this.#nodeId, caps };
      const { value } = await this.#call('RegisterNode', asked, () => ({}));
      if (value?.['jobReady'] === true) return;
      await pause(200);
    }
  }

  async #deliver({ leaseId, start, end }: HeldLease): Promise<void> {
    for (let step = 1; step <= STEPS; step += 1) {
      const cursor = step === STEPS ? end : start + Math.floor(((end - start) * step) / STEPS);
      await pause(this.#pauseMs() / STEPS);
      const asked = { jobId: this.#jobId, nodeId: this.#nodeId, leaseId, cursor, start };
      for (;;) {
        const { outcome, code } = await this.#call('ReportProgress', asked, () => ({}));
        if (outcome === 'ok') break;
        // The lease is another's by now: whoever has it does the rest.
        if (outcome === 'refused' && code !== 'not_leader') return;
      }
    }
  }

  /** One call at the present address; the next one goes elsewhere when it was not answered well. */
  async #call(
    name: string,
    asked: Readonly<Record<string, unknown>>,
    answered: (answer: WireMessage) => Readonly<Record<string, unknown>>,
  ): Promise<Answered<WireMessage>> {
    const at = this.#at;
    const address = this.#settings.addresses[at] ?? '';
    const client = this.#clients[at];
    if (client === undefined) throw new Error('the list of addresses is empty');
    const result = await this.#recorder.made(
      { name, address, asked },
      () => inTime(client.call(name, asked)),
      answered,
      refusalOf,
    );
    if (result.outcome === 'unanswered' || result.code === 'not_leader') {
      this.#at = (at + 1) % this.#clients.length;
      await pause(RETRY_MS);
    }
    return result;
  }
}

function leasesOf(answer: WireMessage): readonly HeldLease[] {
  const leases = (answer['leases'] ?? []) as readonly WireMessage[];
  return leases.map((lease) => {
    const range = (lease['range'] ?? {}) as WireMessage;
    return {
      leaseId: String(lease['leaseId']),
      // What is below the cursor was committed under another token.
      start: Number(lease['cursor'] ?? 0),
      end: Number(range['endId'] ?? 0),
    };
  });
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CallTimedOut()), CALL_MS_MAX);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function refusalOf(error: unknown): { readonly code: string; readonly isAnswer: boolean } {
  if (error instanceof CallTimedOut) return { code: 'timed_out', isAnswer: false };
  const failure = error as ServiceError;
  const [said] = failure.metadata?.get('mx8-error-code') ?? [];
  const code = typeof said === 'string' ? said : `status ${failure.code}`;
  return { code, isAnswer: failure.code !== UNAVAILABLE };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
