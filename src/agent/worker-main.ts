/**
 * Entry of a worker process: it takes orders from its agent over IPC, runs user code, and holds nothing
 * that is not in the staging folder. It ends when the agent says so, when the agent is gone, or when its
 * memory passes the cap.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { MonoMs } from '../core/base/units.ts';
import { nodeClock } from '../platform/clock.ts';
import { nodeRandom } from '../platform/random.ts';
import { RssGuard } from '../platform/rss.ts';
import { otelTracer } from '../platform/tracing.ts';
import { processVariables } from '../platform/variables.ts';
import type { Clock } from '../ports/clock.ts';
import type { Places } from '../ports/place.ts';
import { openOutput } from '../storage/output-stores.ts';
import { StoreTraffic } from '../storage/http/store-traffic.ts';
import { OpenPlaces } from '../storage/places.ts';
import { deliverTask } from './deliver-task.ts';
import { loadJobTask } from './job-task.ts';
import { sayLastWords } from './last-words.ts';
import { STATS_INTERVAL_MS } from './limits.ts';
import { OrderRunner } from './order-runner.ts';
import { watchForOrphanhood } from './orphan-watch.ts';
import { RecordSource } from './record-source.ts';
import { StageTimer } from './stage-timer.ts';
import { WorkerChannel } from './worker-channel.ts';
import type { ToWorker, WorkerCaps, WorkerSettings } from './worker-messages.ts';
import type { WorkerTask } from './worker-task.ts';

class WorkerMain {
  readonly #clock: Clock = nodeClock();
  readonly #channel: WorkerChannel = new WorkerChannel();
  readonly #source: RecordSource = new RecordSource(this.#channel);
  readonly #traffic: StoreTraffic = new StoreTraffic(this.#clock);
  #saidMs: MonoMs = this.#clock.nowMs();
  #jobFile: string | null = null;
  #runner: OrderRunner | null = null;
  #caps: WorkerCaps | null = null;
  #guard: RssGuard | null = null;

  get jobFile(): string | null {
    return this.#jobFile;
  }

  /** The messages come from our own agent, which is the only one that can send here. */
  onMessage(message: ToWorker): void {
    switch (message.type) {
      case 'configure':
        this.#configure(message.settings).catch((error: unknown) => this.#fail(error));
        return;
      case 'start_work':
        this.#runner?.run(message.order).catch((error: unknown) => this.#fail(error));
        return;
      case 'tune': {
        const { type: _, ...caps } = message;
        this.#caps = caps;
        return;
      }
      case 'stop_work':
        this.#runner?.stop(message.workId, message.flush);
        return;
      case 'records':
      case 'records_failed':
        this.#source.onMessage(message);
        return;
      case 'store_shares':
        this.#traffic.hear(message.shares, this.#saidMs);
        return;
      case 'exit':
        process.exit(0);
        break;
      default:
        message satisfies never;
    }
  }

  async #configure(settings: WorkerSettings): Promise<void> {
    const channel = this.#channel;
    this.#caps ??= settings.caps;
    this.#jobFile = settings.work.type === 'job' ? settings.work.jobFile : null;
    if (settings.maxProcessRssBytes !== null) this.#watch(settings, settings.maxProcessRssBytes);
    const task = await this.#task(settings);
    this.#runner = new OrderRunner({
      caps: () => this.#caps ?? settings.caps,
      task,
      channel,
      source: this.#source,
      clock: this.#clock,
      gate: this.#guard,
      openPlaces: () => this.#openPlaces(settings),
      timer: new StageTimer({ ...settings, clock: this.#clock, tracer: otelTracer() }),
    });
    this.#tellStats();
    channel.send({ type: 'ready', sinkKind: task.sinkKind, input: task.input });
  }

  #openPlaces({ stores }: WorkerSettings): Places {
    return new OpenPlaces(stores, {
      clock: this.#clock,
      random: nodeRandom(),
      events: this.#channel,
      variables: processVariables(),
      traffic: this.#traffic,
    });
  }

  #task(settings: WorkerSettings): Promise<WorkerTask> {
    const { work } = settings;
    const [clock, events] = [this.#clock, this.#channel];
    if (work.type === 'job') {
      const out = openOutput(work.out, this.#openPlaces(settings));
      return loadJobTask({ settings, work, clock, events, out });
    }
    return Promise.resolve(deliverTask(work.delivery, clock));
  }

  #watch(settings: WorkerSettings, capBytes: number): void {
    this.#guard = new RssGuard({
      capBytes,
      clock: this.#clock,
      events: this.#channel,
      knobs: () => ({ ...(this.#caps ?? settings.caps), want: null }),
      onBreach: (error) => this.#fail(error),
    });
    this.#guard.start();
  }

  #tellStats(): void {
    const figures = this.#runner?.figures();
    if (figures === undefined) return;
    const rssHighWaterBytes = this.#guard?.highWaterBytes ?? process.resourceUsage().maxRSS * 1024;
    this.#saidMs = this.#clock.nowMs();
    const stores = this.#traffic.reports();
    this.#channel.send({ type: 'stats', stats: { ...figures, rssHighWaterBytes }, stores });
    this.#clock.setTimer(STATS_INTERVAL_MS, () => this.#tellStats(), { unref: true });
  }

  /** Nothing more can be done here: says why, then ends. */
  #fail(error: unknown): void {
    const code = error instanceof Mx8Error ? error.code : 'internal';
    const message =
      error instanceof Mx8Error
        ? error.message
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error);
    const end = (): never => process.exit(1);
    this.#channel.sendSurely({ type: 'failed', workId: null, code, message }).then(end, end);
  }
}

function main(): void {
  // Ctrl-C and a service manager's SIGTERM reach the whole group; the agent decides what they mean.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  process.on('disconnect', () => process.exit(0));
  watchForOrphanhood();
  const worker = new WorkerMain();
  sayLastWords(() => worker.jobFile);
  process.on('message', (message: ToWorker) => worker.onMessage(message));
}

if (process.send !== undefined) main();
