/** What a command gets from the outside world, made once in `main.ts` and replaced whole in tests. */
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { Random } from '../ports/random.ts';

export interface CommandIo {
  /** Results: what a script pipes on. The text is written as it is, with no line end added. */
  readonly stdout: (text: string) => void;
  /** Everything said to the person meanwhile: progress, hints, errors. */
  readonly stderr: (text: string) => void;
  /** True when stderr is a terminal, so that a line may be drawn over. */
  readonly isTerminal: boolean;
  /** Width of that terminal; 80 where there is none. */
  readonly columns: number;
  readonly colour: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Aborts with `interrupted` at the first SIGINT or SIGTERM. The only cancellation. */
  readonly signal: AbortSignal;
  /** The variables of the process, for child processes; commands read theirs through flags. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}
