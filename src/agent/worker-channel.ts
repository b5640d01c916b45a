/** The worker's end of the IPC channel to its agent. */
import type { EventFields, EventLevel, EventSink } from '../ports/event-sink.ts';
import type { FromWorker } from './worker-messages.ts';

export class WorkerChannel implements EventSink {
  /** The message is on its way; the order of messages is kept. */
  send(message: FromWorker): void {
    process.send?.(message);
  }

  /**
   * Resolves once the message has been handed to the operating system: it arrives even if this process
   * ends in the next instruction.
   */
  sendSurely(message: FromWorker): Promise<void> {
    return new Promise((resolve) => {
      if (process.send === undefined) resolve();
      // A channel that is closed means that the agent is gone, and with it the need to tell.
      else process.send(message, undefined, undefined, () => resolve());
    });
  }

  emit(level: EventLevel, event: string, fields: EventFields = {}): void {
    this.send({ type: 'log', level, event, fields });
  }
}
