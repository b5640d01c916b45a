/**
 * Wall clocks of single processes that are stepped while they run. The monotonic clock is left alone: it
 * cannot be stepped by anybody, and all that mx8 decides by time it decides by that one.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const STEP_MS_MAX = 3_600_000;
const MODULE = fileURLToPath(new URL('stepped-clock.ts', import.meta.url));

export class Clocks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** For a process whose clock is to be stepped, its workers included; it starts right. */
  environment(name: string): Readonly<Record<string, string>> {
    this.#write(name, 0);
    return { TEST_CLOCK_FILE: this.#path(name), NODE_OPTIONS: `--import=${MODULE}` };
  }

  /** Forward or backward, up to an hour away from the true time; `draw` is in [0, 1). */
  step(name: string, draw: number): string {
    const offsetMs = Math.round((draw - 0.5) * 2 * STEP_MS_MAX);
    this.#write(name, offsetMs);
    return `${name} by ${offsetMs} ms`;
  }

  #write(name: string, offsetMs: number): void {
    writeFileSync(this.#path(name), String(offsetMs));
  }

  #path(name: string): string {
    return join(this.#folder, `clock-${name}`);
  }
}
