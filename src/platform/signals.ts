/**
 * SIGINT and SIGTERM as one AbortSignal. The first asks for a clean stop; a second one, from a person
 * who does not want to wait, ends the process at once with the conventional exit status.
 */
import { Mx8Error } from '../core/base/errors.ts';

export type StopSignalName = 'SIGINT' | 'SIGTERM';

/**
 * A terminal signals the whole process group, and npm, npx and the launcher pass signals on as well:
 * copies within this time are the same wish.
 */
const SAME_WISH_MS = 400;

/** 128 + the number of the signal, as shells report it. */
export const STOP_EXIT_CODES: Readonly<Record<StopSignalName, number>> = {
  SIGINT: 130,
  SIGTERM: 143,
};

export interface StopSignals extends Disposable {
  /** Aborts with an `Mx8Error` of code `interrupted` at the first signal. */
  readonly signal: AbortSignal;
  /** The first signal that came, or null. */
  readonly received: StopSignalName | null;
}

/** Listens until disposed. `onRepeat` replaces the immediate exit at a second signal. */
export function listenForStop(onRepeat: (name: StopSignalName) => void = exitAtOnce): StopSignals {
  const controller = new AbortController();
  let received: StopSignalName | null = null;
  let receivedAtMs = 0;
  const onStop = (name: StopSignalName): void => {
    if (received !== null) {
      if (performance.now() - receivedAtMs > SAME_WISH_MS) onRepeat(name);
      return;
    }
    received = name;
    receivedAtMs = performance.now();
    controller.abort(new Mx8Error('interrupted', `stopped by ${name}`, { signal: name }));
  };
  const onInt = (): void => onStop('SIGINT');
  const onTerm = (): void => onStop('SIGTERM');
  process.on('SIGINT', onInt);
  process.on('SIGTERM', onTerm);
  return {
    signal: controller.signal,
    get received() {
      return received;
    },
    [Symbol.dispose]() {
      process.off('SIGINT', onInt);
      process.off('SIGTERM', onTerm);
    },
  };
}

/**
 * Asks this process to stop, as SIGTERM does, when the process that started it with an IPC channel is
 * gone: whoever is killed with SIGKILL cannot say goodbye. Does nothing where there is no channel.
 */
export function stopWithParent(): void {
  if (process.channel === undefined || process.channel === null) return;
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel.unref();
}

function exitAtOnce(name: StopSignalName): void {
  process.exit(STOP_EXIT_CODES[name]);
}
