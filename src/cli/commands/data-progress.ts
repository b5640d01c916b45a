/** How the commands that read data sets show how far they are: a few times a second, as one line. */
import { elapsedMs, type MonoMs } from '../../core/base/units.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import { bytesText, countText, durationText, percentText, rateText } from '../../view/format.ts';
import type { CommandIo } from '../command-io.ts';
import { StatusScreen } from '../run/status-screen.ts';

/** A terminal need not be drawn more often than people can read. */
const DRAW_INTERVAL_MS = 100;

export interface DataFigures {
  /** What is going on, such as `packing`. */
  readonly phase: string;
  readonly samples: number;
  /** Null while nobody knows. */
  readonly samplesTotal: number | null;
  readonly bytes: number;
}

export class DataProgress implements Disposable {
  readonly #io: CommandIo;
  readonly #screen: StatusScreen;
  #phase = '';
  #phaseStartedMs: MonoMs;
  /** What was there when the phase began: it is no part of its rate. */
  #before = { samples: 0, bytes: 0 };
  #drawnMs: MonoMs | null = null;

  constructor(io: CommandIo) {
    this.#io = io;
    this.#screen = new StatusScreen(io);
    this.#phaseStartedMs = io.clock.nowMs();
  }

  show(figures: DataFigures): void {
    const nowMs = this.#io.clock.nowMs();
    if (figures.phase !== this.#phase) {
      this.#phase = figures.phase;
      this.#phaseStartedMs = nowMs;
      this.#before = { samples: figures.samples, bytes: figures.bytes };
      this.#drawnMs = null;
    }
    if (this.#drawnMs !== null && elapsedMs(this.#drawnMs, nowMs) < DRAW_INTERVAL_MS) return;
    this.#drawnMs = nowMs;
    const facts = factsOf(figures, this.#before, elapsedMs(this.#phaseStartedMs, nowMs));
    this.#screen.show(
      facts.join('  ').slice(0, Math.max(1, this.#io.columns - 1)),
      facts.join(', '),
    );
  }

  /** Where what happens meanwhile is logged: above the line, not behind it. */
  get events(): EventSink {
    const { events } = this.#io;
    return {
      emit: (level, event, fields) => {
        this.clear();
        events.emit(level, event, fields);
      },
    };
  }

  /** Takes the line away, so that a result can be printed. */
  clear(): void {
    this.#screen.clear();
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}

function factsOf(
  figures: DataFigures,
  before: Pick<DataFigures, 'samples' | 'bytes'>,
  spentMs: number,
): string[] {
  const { phase, samples, samplesTotal, bytes } = figures;
  const facts = [phase];
  if (samplesTotal !== null) facts.push(percentText(samples / samplesTotal));
  const of = samplesTotal === null ? '' : `/${countText(samplesTotal)}`;
  if (samples > 0 || samplesTotal !== null) facts.push(`${countText(samples)}${of} samples`);
  if (bytes > 0) facts.push(bytesText(bytes));
  const [newSamples, newBytes] = [samples - before.samples, bytes - before.bytes];
  if (spentMs >= 1000 && newSamples > 0) {
    facts.push(rateText((newSamples * 1000) / spentMs));
    if (newBytes > 0) facts.push(`${bytesText((newBytes * 1000) / spentMs)}/s`);
    const left = (samplesTotal ?? 0) - samples;
    if (left > 0) facts.push(`${durationText((left * spentMs) / newSamples)} left`);
  }
  return facts;
}
