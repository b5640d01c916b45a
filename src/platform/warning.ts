/** Says something to the program that uses the library, on stderr and to its own listeners, as Node does. */
export function warnProgram(message: string): void {
  process.emitWarning(message, { type: 'Mx8Warning' });
}
