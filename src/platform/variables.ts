/** The process's variables, for reading what other people's tools are told by them. Ours are flags; see `cli/`. */
import type { Variables } from '../ports/variables.ts';

export function processVariables(): Variables {
  return process.env;
}
