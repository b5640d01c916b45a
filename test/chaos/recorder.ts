/** For the client processes: makes calls and prints each with its answer as a line of JSON. */
import { type Call, machineMs } from './history.ts';

type Said = Readonly<Record<string, unknown>>;

export interface Answered<T> {
  readonly outcome: Call['outcome'];
  readonly code: string;
  readonly value: T | null;
}

export class CallRecorder {
  readonly #client: string;

  constructor(client: string) {
    this.#client = client;
  }

  /** `refusalOf` tells a refusal, which is an answer, from a call that nobody answered. */
  async made<T>(
    call: { readonly name: string; readonly address: string; readonly asked: Said },
    make: () => Promise<T>,
    answered: (value: T) => Said,
    refusalOf: (error: unknown) => { readonly code: string; readonly isAnswer: boolean },
  ): Promise<Answered<T>> {
    const sentMs = machineMs();
    const line = { kind: 'call', client: this.#client, call: call.name, address: call.address };
    try {
      const value = await make();
      const said = { ...call.asked, ...answered(value) };
      this.#print({ ...line, sentMs, endedMs: machineMs(), outcome: 'ok', code: '', said });
      return { outcome: 'ok', code: '', value };
    } catch (error) {
      const { code, isAnswer } = refusalOf(error);
      const outcome = isAnswer ? 'refused' : 'unanswered';
      this.#print({ ...line, sentMs, endedMs: machineMs(), outcome, code, said: call.asked });
      return { outcome, code, value: null };
    }
  }

  #print(item: object): void {
    process.stdout.write(`${JSON.stringify(item)}\n`);
  }
}
