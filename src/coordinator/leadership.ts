/** Who answers: what the services need to know of the leadership, however it comes about. */
import type { CoordinatorState } from '../core/job/coordinator.ts';
import type { CandidateInfo, LeaderInfo } from '../ports/election.ts';
import type { Mx8Error } from '../core/base/errors.ts';
import { Writer, type WriterOptions } from './writer.ts';

export interface LeadershipView {
  readonly role: 'leader' | 'standby';
  /** Of this process; fresh per start. */
  readonly who: string;
  /** Null when nobody is known to lead. */
  readonly leader: LeaderInfo | null;
  readonly epoch: number;
  /** The last entry whose effects this process has. */
  readonly appliedSeq: number;
  /** The last entry of the log, as far as this process knows. */
  readonly tailSeq: number;
  /** When this process began to lead, on the wall clock, for display; null when it does not. */
  readonly leadsSinceUnixMs: number | null;
}

export interface Leadership {
  readonly view: LeadershipView;
  /** The writer while this process leads and serves, else null. */
  readonly writer: Writer | null;
  /** While this process was elected and does not serve yet: resolves when it does, or gave up. Else null. */
  readonly taking: Promise<void> | null;
  /** What the store of the state said when it was last asked in vain; '' once it has answered again. */
  readonly storeFailure: string;
  /** For reads: of the leader as of now, of a standby as of what it has read. Only between steps. */
  readonly state: CoordinatorState;
  /** Everybody who could lead, the leader included. */
  candidates(): Promise<readonly CandidateInfo[]>;
  start(): Promise<void>;
  /** Answers what was asked, gives up the lead and ends. */
  stop(): Promise<void>;
}

/** Prepares a fresh writer's jobs before it serves. */
export type Prepare = (writer: Writer) => Promise<void>;

/** A coordinator that nobody stands by for: it leads or it ends. */
export class SoleLeadership implements Leadership {
  readonly taking: null = null;
  readonly storeFailure = '';
  readonly #writer: Writer;
  readonly #who: string;
  readonly #address: () => string;
  readonly #prepare: Prepare;
  readonly #clock: WriterOptions['clock'];
  #sinceUnixMs = 0;
  #isServing = false;

  constructor(
    options: WriterOptions & { readonly onFacts: Parameters<Writer['onFacts']>[0] },
    who: string,
    address: () => string,
    prepare: Prepare,
  ) {
    this.#writer = new Writer(options);
    this.#writer.onFacts(options.onFacts);
    this.#clock = options.clock;
    this.#who = who;
    this.#address = address;
    this.#prepare = prepare;
  }

  get view(): LeadershipView {
    const { epoch, seq } = this.#writer.figures;
    const leader = { who: this.#who, address: this.#address() };
    const leadsSinceUnixMs = this.#sinceUnixMs;
    const [role, who] = ['leader' as const, this.#who];
    return { role, who, leader, epoch, appliedSeq: seq, tailSeq: seq, leadsSinceUnixMs };
  }

  get writer(): Writer | null {
    return this.#isServing ? this.#writer : null;
  }

  get state(): CoordinatorState {
    return this.#writer.state;
  }

  async candidates(): Promise<readonly CandidateInfo[]> {
    const { who, appliedSeq } = this.view;
    return [{ who, address: this.#address(), appliedSeq }];
  }

  async start(): Promise<void> {
    await this.#writer.start();
    await this.#prepare(this.#writer);
    this.#sinceUnixMs = this.#clock.unixMs();
    this.#isServing = true;
  }

  async stop(): Promise<void> {
    await this.#writer.stop();
  }
}

/** What a candidate's end means to the process: null after a stop that was asked for. */
export type OnEnded = (error: Mx8Error | null) => void;
