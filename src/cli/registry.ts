/**
 * The commands. Each is loaded only when it is asked for, so that `mx8 --version` does not wait for
 * the gRPC library.
 */
import type { Command } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

export const COMMANDS: readonly CommandEntry[] = [];
